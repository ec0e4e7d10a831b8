-- migrate:up

-- Which days were compared with WeChat's bills, and what was found. A day is a day in China.
create type bill_day_state as enum ('open', 'waiting', 'done');
create table bill_days (
    mchid         text not null,
    day           date not null,
    -- `waiting`: compared, but the next day's bill decides about what happened around midnight.
    state         bill_day_state not null default 'open',
    -- One process at a time works on a day; it gives the day back long before this, unless it died.
    leased_until  timestamptz not null default now(),
    next_try_at   timestamptz not null default now(),
    tries         integer not null default 0,
    last_error    text,
    payments      integer not null default 0,
    payments_fen  bigint not null default 0,
    refunds       integer not null default 0,
    refunds_fen   bigint not null default 0,
    fee_millifen  bigint not null default 0,
    foreign_rows  integer not null default 0,
    differences   integer not null default 0,
    repaired      integer not null default 0,
    waiting       integer not null default 0,
    reconciled_at timestamptz,
    primary key (mchid, day)
);

-- A day's payments and refunds are read in order of time.
create index payments_by_moment on payments (mchid, success_at);
create index refunds_by_moment on refunds (mchid, (coalesce(sent_at, created_at)));

-- migrate:down

drop index refunds_by_moment, payments_by_moment;
drop table bill_days;
drop type bill_day_state;
