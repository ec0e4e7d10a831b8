-- migrate:up

-- E-fapiao: what the tax office was asked to issue for an order through WeChat Pay, and where it stands. WeChat's word
-- is mirrored; our own steps before and between are states of their own, so that every step can be resumed.
create type fapiao_state as enum (
    'asked', 'applied', 'titled', 'issuing', 'issue_accepted', 'issued', 'issue_failed',
    'reversing', 'reverse_accepted', 'reversed', 'reverse_failed', 'replaced', 'void'
);

-- One row is one fapiao (one `fapiao_id` at WeChat); an order has as many as were issued again, numbered by `round`.
-- `apply_id` is the application it belongs to: the transaction's id, or a number of ours (`scene`).
-- `title_sealed` is who it is made out to, encrypted; it can be erased, and `title_erased` says that it must stay so.
create table fapiaos (
    fapiao_id      text primary key,
    order_no       text not null,
    sale_id        text not null,
    round          integer not null check (round >= 1),
    mchid          text not null,
    transaction_id text not null,
    apply_id       text not null,
    scene          text not null,
    state          fapiao_state not null default 'asked',
    card_status    text,
    title_sealed   bytea,
    title_erased   boolean not null default false,
    -- Frozen before it is sent, so that a repeat says the same: the amount, and the content as WeChat gets it.
    amount_fen     integer check (amount_fen >= 1),
    content        text,
    fapiao_code    text,
    fapiao_number  text,
    reason         text,
    next_check_at  timestamptz default now(),
    tries          integer not null default 0,
    created_at     timestamptz not null default now(),
    changed_at     timestamptz not null default now(),
    constraint one_fapiao_per_round unique (order_no, round)
);
create index fapiaos_due on fapiaos (next_check_at) where next_check_at is not null;
create index fapiaos_by_application on fapiaos (apply_id);
create index fapiaos_issued on fapiaos (order_no) where state = 'issued';
create index fapiaos_by_state on fapiaos (state, changed_at);
create index fapiaos_titled on fapiaos (changed_at) where title_sealed is not null;

-- migrate:down

drop table fapiaos;
drop type fapiao_state;
