-- migrate:up

-- The ledger. Whether an order exists, is paid or is released is decided here and nowhere else;
-- Redis follows and can be rebuilt from these tables at any time.
-- Units last in every name: _fen, _ms, _s. Ids chosen by the organizer are text and never change.

create table events (
    event_id   text primary key,
    title      text not null
);

create table sessions (
    session_id text primary key,
    event_id   text not null references events,
    title      text not null,
    venue      text not null default '',
    starts_at  timestamptz not null
);

-- fillfactor leaves room on the page, so that raising `allocated` stays a heap-only update.
create table skus (
    sku_id        text primary key,
    session_id    text not null references sessions,
    title         text not null,
    price_fen     integer not null check (price_fen >= 0),
    capacity      integer not null,
    allocated     integer not null default 0,
    per_order_max integer not null check (per_order_max >= 1),
    constraint never_oversold check (0 <= allocated and allocated <= capacity)
) with (fillfactor = 50);

-- `epoch` counts the rebuilds of the sale's keys in Redis: an order placed under an older epoch is refused.
create table sales (
    sale_id       text primary key,
    title         text not null,
    lane          text not null,
    opens_at      timestamptz not null,
    closes_at     timestamptz not null,
    time_zone     text not null,
    hold_s        integer not null check (hold_s >= 1),
    per_buyer_max integer not null check (per_buyer_max >= 1),
    line_rate     integer not null check (line_rate >= 1),
    paused        boolean not null default false,
    epoch         bigint not null default 0,
    constraint opens_before_it_closes check (opens_at < closes_at)
) with (fillfactor = 50);

create table sale_skus (
    sale_id  text not null references sales,
    sku_id   text not null references skus,
    ordinal  integer not null,
    primary key (sale_id, sku_id)
);

-- How far the line's numbering may go, raised in blocks before Redis gives the numbers out, and the last
-- head that was written down: after Redis lost everything the line goes on behind `ceiling`.
create table lines (
    sale_id  text primary key references sales,
    ceiling  bigint not null default 0,
    head     bigint not null default 0
) with (fillfactor = 50);

-- `buyer` is a keyed digest of the openid; the openid itself is encrypted and can be erased.
create table buyers (
    buyer          bytea primary key check (length(buyer) = 16),
    openid_sealed  bytea,
    created_at     timestamptz not null default now()
);

create type order_state as enum (
    'held', 'paying', 'closing', 'paid', 'released', 'refunding', 'refunded', 'refund_failed'
);

-- No foreign keys on the hot path: the placing statement joins what they would check. The primary key ends
-- in sale_id, so that the table can be partitioned by sale without touching a query.
create table orders (
    order_no      text not null,
    sale_id       text not null,
    buyer         bytea not null,
    request_id    bytea not null,
    body_digest   bytea not null,
    state         order_state not null default 'held',
    -- Whether the order's units count in skus.allocated: until it is released, for ever once it is paid.
    has_units     boolean not null default true,
    amount_fen    integer not null,
    deadline      timestamptz not null,
    created_at    timestamptz not null default now(),
    changed_at    timestamptz not null default now(),
    mchid         text,
    prepay_id     text,
    prepay_until  timestamptz,
    next_check_at timestamptz,
    checks        integer not null default 0,
    primary key (order_no, sale_id),
    constraint one_order_per_request unique (sale_id, request_id)
);
create index orders_by_buyer on orders (buyer, created_at desc);
create index orders_by_deadline on orders (deadline) where state in ('held', 'paying', 'closing');
create index orders_to_check on orders (next_check_at) where state in ('paying', 'closing');

create table order_items (
    order_no  text not null,
    sale_id   text not null,
    sku_id    text not null,
    quantity  integer not null check (quantity >= 1),
    price_fen integer not null,
    primary key (order_no, sale_id, sku_id)
);

-- Money moves, append-only: what WeChat Pay said, once per transaction.
create table payments (
    transaction_id  text primary key,
    order_no        text not null,
    sale_id         text not null,
    mchid           text not null,
    total_fen       integer not null,
    success_at      timestamptz not null,
    learned_by      text not null,
    received_at     timestamptz not null default now()
);
create index payments_by_order on payments (order_no);

create type refund_state as enum ('intended', 'processing', 'success', 'abnormal', 'closed');

-- The intent is written before WeChat is called; the number never changes on a retry.
create table refunds (
    out_refund_no   text primary key,
    order_no        text not null,
    sale_id         text not null,
    transaction_id  text not null,
    mchid           text not null,
    amount_fen      integer not null check (amount_fen >= 1),
    total_fen       integer not null,
    reason          text not null,
    state           refund_state not null default 'intended',
    next_check_at   timestamptz not null default now(),
    checks          integer not null default 0,
    created_at      timestamptz not null default now(),
    changed_at      timestamptz not null default now()
);
create index refunds_by_order on refunds (order_no);
create index refunds_to_check on refunds (next_check_at) where state in ('intended', 'processing');

-- migrate:down

drop table refunds, payments, order_items, orders, buyers, lines, sale_skus, sales, skus, sessions, events;
drop type refund_state, order_state;
