-- migrate:up

-- The line: lanes, the lobby and its draw, admission, and what is written down so that a place outlives Redis.

-- A lobby is open from lobby_opens_at (null: since the sale was applied) until lobby_closes_at (null: until the sale
-- opens). The secret is made with the sale and its hash is published at once; it is revealed after the seal. The
-- beacon, where one is named, adds randomness that nobody knew before. The line lets through line_rate people a
-- second, or as many as keep line_concurrency of them at the till, or the lesser of both. `round` counts the times
-- that units were put up again after the sale was sold out for good; `final_round` is the round that ended so.
alter table sales
    add column lobby_opens_at  timestamptz,
    add column lobby_closes_at timestamptz,
    alter column line_rate drop not null,
    add column line_concurrency integer check (line_concurrency >= 1),
    add column draw_secret bytea not null
        default decode(replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''), 'hex'),
    add column beacon_url   text,
    add column beacon_round bigint,
    add column challenge text not null default 'off' check (challenge in ('off', 'suspicious', 'always')),
    add column round integer not null default 1,
    add column final_round integer not null default 0,
    add constraint line_has_a_pace check (line_rate is not null or line_concurrency is not null),
    add constraint beacon_has_a_round check ((beacon_url is null) = (beacon_round is null));

-- The lanes of a sale in the organizer's order; a sale without any has one lane of the name in sales.lane, open to
-- everyone. `quota_units` bounds the units that the lane's buyers may hold or have bought.
create table sale_lanes (
    sale_id     text not null references sales,
    lane        smallint not null check (lane between 0 and 7),
    lane_id     text not null,
    title       text not null default '',
    entry       text not null default 'everyone' check (entry in ('everyone', 'codes', 'members')),
    weight      integer not null check (weight >= 1),
    quota_units integer check (quota_units >= 0),
    primary key (sale_id, lane),
    unique (sale_id, lane_id)
);

-- A presale code lets in one buyer: the first who shows it.
create table lane_codes (
    sale_id     text not null references sales,
    code_digest bytea not null check (length(code_digest) = 32),
    lane        smallint not null,
    buyer       bytea,
    primary key (sale_id, code_digest)
);

create table lane_members (
    sale_id text not null references sales,
    buyer   bytea not null check (length(buyer) = 16),
    lane    smallint not null,
    primary key (sale_id, buyer, lane)
);

-- One row for each sale whose line has begun. serving_ms is the last known reading of the serving clock; `randomness`
-- is what the seeds were made of.
create table line_sales (
    sale_id    text primary key references sales,
    sealed_at  timestamptz,
    randomness bytea,
    serving_ms bigint not null default 0
) with (fillfactor = 50);

-- One row for each lane. lobby_count is the number of its lobby entries and stands still after the seal. `ceiling`
-- is committed before any live index below it is given out; `tail` and `head` are the last known ones.
create table line_lanes (
    sale_id     text not null references sales,
    lane        smallint not null,
    lobby_count bigint not null default 0,
    root        bytea,
    seed        bytea,
    ceiling     bigint not null default 0,
    tail        bigint not null default 0,
    head        bigint not null default 0,
    primary key (sale_id, lane)
) with (fillfactor = 50);

insert into line_sales (sale_id) select sale_id from lines;
insert into line_lanes (sale_id, lane, ceiling, tail, head) select sale_id, 0, ceiling, ceiling, head from lines;
drop table lines;

-- The lobby: indexes are dense from 0 in each lane, in the order of the commits. One entry for each buyer.
create table lobby_entries (
    sale_id text not null,
    lane    smallint not null,
    index   integer not null,
    buyer   bytea not null,
    primary key (sale_id, lane, index),
    constraint one_place_per_buyer unique (sale_id, buyer)
);

-- Merkle roots of full chunks of entries, computed while the lobby is still open.
create table lobby_chunks (
    sale_id text not null,
    lane    smallint not null,
    chunk   integer not null,
    root    bytea not null,
    primary key (sale_id, lane, chunk)
);

-- Every tick that moved something: what the line saw and how far it called, by lane.
create table line_ticks (
    sale_id  text not null,
    epoch    bigint not null,
    tick     bigint not null,
    at       timestamptz not null,
    heads    bigint[] not null,
    free     integer not null,
    held     integer not null,
    admitted integer not null,
    released integer not null,
    primary key (sale_id, epoch, tick)
);

-- Every pass that was given out, written before its buyer hears of it.
create table admissions (
    sale_id     text not null,
    buyer       bytea not null,
    nonce       bytea not null,
    epoch       bigint not null,
    tick        bigint not null,
    lane        smallint not null,
    position    bigint not null,
    admitted_at timestamptz not null default now(),
    primary key (sale_id, buyer, nonce)
);

alter table orders add column lane smallint not null default 0;

-- migrate:down

alter table orders drop column lane;
create table lines (
    sale_id  text primary key references sales,
    ceiling  bigint not null default 0,
    head     bigint not null default 0
) with (fillfactor = 50);
insert into lines (sale_id, ceiling, head) select sale_id, ceiling, head from line_lanes where lane = 0;
drop table admissions, line_ticks, lobby_chunks, lobby_entries, line_lanes, line_sales, lane_members, lane_codes,
    sale_lanes;
update sales set line_rate = 100 where line_rate is null;
alter table sales
    drop constraint beacon_has_a_round, drop constraint line_has_a_pace,
    drop column final_round, drop column round, drop column challenge, drop column beacon_round,
    drop column beacon_url, drop column draw_secret, drop column line_concurrency, drop column lobby_closes_at,
    drop column lobby_opens_at, alter column line_rate set not null;
