-- migrate:up

-- What the mini program's services keep: the access token, what buyers agreed to be told, phone numbers, codes, links.

-- The one access token of an appid, shared by all processes and sealed, since it opens everything the appid may do.
-- `renewing_until` is the lease of the process that asks for the next one; WeChat bounds forced renewals by the day.
create table access_tokens (
    appid          text primary key,
    token_sealed   bytea,
    expires_at     timestamptz,
    renew_at       timestamptz,
    renewing_until timestamptz,
    forced_at      timestamptz,
    forced_on      date,
    forced_count   integer not null default 0
);

-- One accepted subscription is one message.
create table subscriptions (
    buyer bytea not null,
    kind  text not null,
    count integer not null check (count >= 0),
    primary key (buyer, kind)
);

-- A report of acceptances counts once: its key belongs to its buyer.
create table subscription_requests (
    request_id  bytea primary key check (length(request_id) = 16),
    body_digest bytea not null,
    created_at  timestamptz not null default now()
);
create index subscription_requests_old on subscription_requests (created_at);

alter table buyers add column phone_sealed bytea;

-- QR codes last for ever, links for days; both are made once. `made_for` names page, version and scene.
create table sale_codes (
    made_for   text primary key,
    sale_id    text not null references sales,
    image      bytea,
    url        text,
    expires_at timestamptz,
    check ((image is null) <> (url is null))
);

-- migrate:down

drop table sale_codes, subscription_requests, subscriptions, access_tokens;
alter table buyers drop column phone_sealed;
