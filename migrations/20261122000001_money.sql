-- migrate:up

-- Money, whole: an inbox of what WeChat Pay told, refunds in parts and by policy, sessions that are cancelled, and
-- what is owed to WeChat or to the buyer once money has moved.

-- The inbox: every verified notification that says something new, written before it is acknowledged and never
-- deleted. `digest` is of what was said, so that a repeat adds nothing and a contradiction is a row of its own.
-- `body` is kept as it came, sealed under the merchant's key, because it names the buyer.
create table notices (
    digest        bytea primary key check (length(digest) = 16),
    notice_id     text not null,
    event_type    text not null,
    mchid         text not null,
    subject       text not null,
    body          bytea not null,
    received_at   timestamptz not null default now(),
    -- What became of it; null while it waits for a decision.
    outcome       text,
    decided_at    timestamptz,
    next_check_at timestamptz not null default now(),
    checks        integer not null default 0
);
create index notices_open on notices (next_check_at) where outcome is null;
create index notices_by_subject on notices (subject);

-- Which of the merchant's accounts takes a sale's money; null spreads it over all that take orders.
alter table sales add column mchid text;
-- Whether the units of a refunded order are for sale again.
alter table sales add column refund_units_back boolean not null default true;

-- What a buyer gets back on asking, by whole days before the session: the tier with the most days that still fits.
-- A sale without tiers gives nothing back unless the organizer decides it.
create table refund_tiers (
    sale_id     text not null references sales,
    days_before integer not null check (days_before >= 0),
    percent     integer not null check (percent between 0 and 100),
    primary key (sale_id, days_before)
);

-- A cancelled session gives every paid order its money back.
alter table sessions add column cancelled_at timestamptz;
alter table sessions add column cancel_reason text;

-- `returned` of the units are for sale again; they no longer count for the order.
alter table order_items add column returned integer not null default 0;
alter table order_items add constraint returned_fits check (returned between 0 and quantity);
-- What was decided to go back so far, in all refunds that are not closed.
alter table orders add column refunded_fen integer not null default 0;
alter table orders add constraint refund_fits check (refunded_fen >= 0);

create type refund_cause as enum ('late', 'mispaid', 'unknown_order', 'buyer', 'organizer', 'session_cancelled');
alter table refunds add column cause refund_cause not null default 'late';
alter table refunds add column refund_id text;
alter table refunds add column sent_at timestamptz;
alter table refunds add column success_at timestamptz;
alter table refunds add column last_code text;

-- The tickets a refund takes back; none when it is a sum of money alone.
create table refund_items (
    out_refund_no text not null references refunds,
    sku_id        text not null,
    quantity      integer not null check (quantity >= 1),
    primary key (out_refund_no, sku_id)
);

-- What is owed after money moved: telling WeChat that the tickets were delivered, telling the buyer. Written in the
-- transaction that moved the order, done by jobs, each at most once per subject.
create type duty_state as enum ('due', 'done', 'given_up');
create table duties (
    kind       text not null,
    subject    text not null,
    order_no   text not null,
    state      duty_state not null default 'due',
    due_at     timestamptz not null default now(),
    tries      integer not null default 0,
    outcome    text,
    created_at timestamptz not null default now(),
    changed_at timestamptz not null default now(),
    primary key (kind, subject)
);
create index duties_due on duties (due_at) where state = 'due';
create index duties_by_order on duties (order_no);

-- migrate:down

drop table duties, refund_items, refund_tiers, notices;
drop type duty_state;
alter table refunds drop column cause, drop column refund_id, drop column sent_at, drop column success_at,
    drop column last_code;
drop type refund_cause;
alter table orders drop column refunded_fen;
alter table order_items drop column returned;
alter table sessions drop column cancelled_at, drop column cancel_reason;
alter table sales drop column mchid, drop column refund_units_back;
