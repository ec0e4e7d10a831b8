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
select o.order_no, o.sale_id, o.state::text as state from orders o
where o.state in ('held', 'paying', 'closing') and exists (
    select from order_items i where i.order_no = o.order_no and i.sale_id = o.sale_id and i.sku_id = any($1::text[])
)
limit $2

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
-- try that came furthest.
with mine as (
    select o.order_no, o.state, sum(i.quantity * i.price_fen)::bigint as price_fen, sum(i.returned) as returned,
           bool_or(i.returned < i.quantity and i.quantity > (
               select coalesce(sum(t.quantity), 0) from refund_items t join refunds r using (out_refund_no)
               where r.order_no = o.order_no and r.state <> 'closed' and t.sku_id = i.sku_id
           )) as undecided
    from order_items i join orders o using (order_no, sale_id)
    where i.sku_id = any($1::text[]) and o.state <> 'released'
    group by o.order_no, o.sale_id
), tries as (
    select r.order_no, r.amount_fen, r.created_at, r.changed_at,
           case when r.state = 'success' then 4
                when r.state = 'processing' or (r.state = 'intended' and r.sent_at is not null) then 3
                when r.state = 'intended' then 2 else 1 end as stage
    from refunds r join mine using (order_no)
    where r.cause = 'session_cancelled' and (
        exists (select from refund_items t where t.out_refund_no = r.out_refund_no and t.sku_id = any($1::text[]))
        or not exists (select from refund_items t where t.out_refund_no = r.out_refund_no)
    )
), furthest as (
    select distinct on (order_no) * from tries order by order_no, stage desc, created_at desc
), seen as (
    select mine.*, f.amount_fen, f.stage, f.created_at, f.changed_at from mine left join furthest f using (order_no)
)
select count(*) filter (where state in ('held', 'paying', 'closing')) as open,
       count(*) filter (where state not in ('held', 'paying', 'closing') and undecided) as undecided,
       coalesce(sum(price_fen) filter (where state not in ('held', 'paying', 'closing') and undecided), 0)::bigint
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
