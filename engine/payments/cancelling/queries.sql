-- Cancelled sessions. What is left to do is read from the orders themselves, so that nothing has to be remembered: an
-- order is done when its tickets of the session are taken back.

-- name: cancel
-- The first word counts: a session cancelled again keeps its time and its reason.
with before as (
    select session_id, cancelled_at from sessions where session_id = $1 for update
)
update sessions s set cancelled_at = coalesce(s.cancelled_at, now()), cancel_reason = coalesce(s.cancel_reason, $2)
from before where s.session_id = before.session_id
returning before.cancelled_at is null as first

-- name: find_cancelled
select s.session_id, s.cancel_reason as reason, extract(epoch from now() - s.cancelled_at)::float8 as age_s,
       array(select k.sku_id from skus k where k.session_id = s.session_id order by k.sku_id) as sku_ids,
       array(select distinct o.sale_id from sale_skus o join skus k using (sku_id)
             where k.session_id = s.session_id order by o.sale_id) as sale_ids
from sessions s where s.cancelled_at is not null order by s.cancelled_at, s.session_id

-- name: find_open
-- The sales are named, so that the flood of another sale costs no look at its orders.
select o.order_no, o.sale_id, o.state::text as state from orders o
where o.sale_id = any($1::text[]) and o.state in ('held', 'paying', 'closing') and exists (
    select from order_items i where i.order_no = o.order_no and i.sale_id = o.sale_id and i.sku_id = any($2::text[])
)
limit $3

-- name: find_paid
-- One page of a sale's paid orders that still have tickets of these SKUs, in the order of their requests. The limits
-- inside keep the plan to a walk along one index with a look at each order, whatever the statistics say: they are old
-- when fifty thousand refunds are written in half a minute.
select o.order_no, o.request_id from orders o cross join lateral (
    select from order_items i cross join lateral (
        select coalesce(sum(taken.quantity), 0) as quantity from (
            select r.out_refund_no from refunds r where r.order_no = o.order_no and r.state <> 'closed' limit 50
        ) r cross join lateral (
            select t.quantity from refund_items t
            where t.out_refund_no = r.out_refund_no and t.sku_id = i.sku_id limit 1
        ) taken
    ) given
    where i.order_no = o.order_no and i.sale_id = o.sale_id and i.sku_id = any($3::text[])
        and i.quantity > greatest(i.returned, given.quantity)
    limit 1
) left_over
where o.sale_id = $1 and o.request_id > $2 and o.state = 'paid'
order by o.request_id limit $4

-- name: read_session
select s.session_id, s.title, s.cancel_reason as reason,
       (extract(epoch from s.cancelled_at) * 1000)::bigint as cancelled_ms,
       array(select k.sku_id from skus k where k.session_id = s.session_id) as sku_ids
from sessions s where s.session_id = $1

-- name: count_progress
-- Every order with tickets of these SKUs, by how far it has come. A refund that was tried again counts once, by the
-- try that came furthest. As in the audit, rows are laid on a heap and grouped, not joined: while refunds pour in, a
-- join is planned from statistics that know nothing of them.
with tickets as (
    select order_no, sku_id, sum(quantity) as quantity, sum(price_fen) as price_fen, sum(returned) as returned,
           sum(taken) as taken
    from (
        select order_no, sku_id, quantity, quantity::bigint * price_fen as price_fen, returned, 0 as taken
        from order_items where sku_id = any($1::text[])
        union all
        select r.order_no, t.sku_id, 0, 0, 0, t.quantity from refund_items t join refunds r using (out_refund_no)
        where t.sku_id = any($1::text[]) and r.state <> 'closed'
    ) lines
    group by order_no, sku_id
), tries as (
    select distinct on (order_no) order_no, amount_fen, created_at, changed_at,
           case when state = 'success' then 4
                when state = 'processing' or (state = 'intended' and sent_at is not null) then 3
                when state = 'intended' then 2 else 1 end as stage
    from refunds r
    where cause = 'session_cancelled' and (
        exists (select from refund_items t where t.out_refund_no = r.out_refund_no and t.sku_id = any($1::text[]))
        or not exists (select from refund_items t where t.out_refund_no = r.out_refund_no)
    )
    order by order_no, stage desc, created_at desc
), seen as (
    select order_no, max(state) as state, sum(price_fen) as price_fen, sum(returned) as returned,
           -- An order without units gave all its money back in another way, or is about to.
           sum(left_fen) as left_fen, max(amount_fen) as amount_fen, max(stage) as stage,
           bool_or(has_left) and bool_or(has_units) and (max(state) = 'paid' or max(stage) is null) as undecided,
           max(created_at) as created_at, max(changed_at) as changed_at
    from (
        select order_no, null as state, null::boolean as has_units, price_fen, returned,
               quantity > greatest(returned, taken) as has_left,
               price_fen / quantity * (quantity - greatest(returned, taken)) as left_fen,
               null::integer as amount_fen, null::integer as stage, null::timestamptz as created_at,
               null::timestamptz as changed_at
        from tickets where quantity > 0
        union all
        select order_no, state::text, has_units, null, null, null, null, null, null, null, null from orders
        where sale_id in (select sale_id from sale_skus where sku_id = any($1::text[]))
        union all
        select order_no, null, null, null, null, null, null, amount_fen, stage, created_at, changed_at from tries
    ) heap
    group by order_no having bool_or(has_left) is not null and max(state) <> 'released'
)
select count(*) filter (where state in ('held', 'paying', 'closing')) as open,
       count(*) filter (where state in ('paid', 'refunding', 'refund_failed') and undecided) as undecided,
       coalesce(sum(left_fen) filter (where state in ('paid', 'refunding', 'refund_failed') and undecided), 0)::bigint
           as undecided_fen,
       count(*) filter (where stage = 2) as decided,
       coalesce(sum(amount_fen) filter (where stage = 2), 0)::bigint as decided_fen,
       count(*) filter (where stage = 3) as sent,
       coalesce(sum(amount_fen) filter (where stage = 3), 0)::bigint as sent_fen,
       count(*) filter (where stage = 4) as succeeded,
       coalesce(sum(amount_fen) filter (where stage = 4), 0)::bigint as succeeded_fen,
       count(*) filter (where stage = 1) as failed,
       coalesce(sum(amount_fen) filter (where stage = 1), 0)::bigint as failed_fen,
       count(*) filter (where stage is null and price_fen = 0 and returned > 0) as free,
       count(*) filter (where stage = 4 and changed_at > now() - make_interval(secs => $2::float8)) as lately,
       least($2::float8, coalesce(extract(epoch from now() - min(created_at)), 0))::float8 as lately_s
from seen
