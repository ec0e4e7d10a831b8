-- migrate:up

-- A request for a refund is done once: the same key gives the same decision, another content under it is refused.
-- The number is null where only tickets without a price went back.
create table refund_requests (
    request_id    bytea primary key check (length(request_id) = 16),
    digest        bytea not null,
    order_no      text not null,
    out_refund_no text,
    created_at    timestamptz not null default now()
);

-- The refunds of a cancelled session stand in a queue of their own, so that a single buyer never waits behind them.
-- An abnormal refund is asked about too: a person may have settled it in WeChat's own pages.
drop index refunds_to_check;
create index refunds_to_check on refunds ((cause = 'session_cancelled'), next_check_at)
    where state in ('intended', 'processing', 'abnormal');
create index refunds_closed on refunds (changed_at) where state = 'closed';

-- migrate:down

drop index refunds_to_check, refunds_closed;
create index refunds_to_check on refunds (next_check_at) where state in ('intended', 'processing');
drop table refund_requests;
