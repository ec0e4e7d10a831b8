-- The refund book. Every statement that writes runs behind lock_orders, in one transaction, so that what was read
-- under the lock is still true when it is written.

-- name: lock_orders
select order_no from orders where order_no = any($1::text[]) order by order_no for update

-- name: read_standings
select o.order_no, o.sale_id, o.state::text as state, o.has_units, now() as now,
       p.transaction_id, p.mchid, p.total_fen, p.success_at, r.refunds, r.refunded_fen, r.last_sent_at,
       t.sku_ids, t.session_ids, t.quantities, t.prices_fen, t.returned, t.taken
from orders o
left join lateral (
    select transaction_id, mchid, total_fen, success_at from payments
    where payments.order_no = o.order_no order by received_at, payments.transaction_id limit 1
) p on true
cross join lateral (
    select count(*)::integer as refunds, max(sent_at) as last_sent_at,
           coalesce(sum(amount_fen) filter (where refunds.state <> 'closed'), 0)::bigint as refunded_fen
    from refunds where refunds.order_no = o.order_no
) r
cross join lateral (
    select array_agg(i.sku_id order by i.sku_id) as sku_ids,
           array_agg(s.session_id order by i.sku_id) as session_ids,
           array_agg(i.quantity order by i.sku_id) as quantities,
           array_agg(i.price_fen order by i.sku_id) as prices_fen,
           array_agg(i.returned order by i.sku_id) as returned,
           -- A closed refund gave no money back, but its tickets may be sold again: they count as long as they are.
           array_agg(greatest(i.returned, coalesce(g.quantity, 0)) order by i.sku_id) as taken
    from order_items i join skus s using (sku_id)
    left join (
        select ri.sku_id, sum(ri.quantity)::integer as quantity
        from refund_items ri join refunds rr using (out_refund_no)
        where rr.order_no = o.order_no and rr.state <> 'closed' group by ri.sku_id
    ) g on g.sku_id = i.sku_id
    where i.order_no = o.order_no and i.sale_id = o.sale_id
) t
where o.order_no = any($1::text[])

-- name: decide
with wanted as (
    select * from unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::boolean[], $6::text[], $7::text[],
                         $8::text[], $9::integer[], $10::timestamptz[])
        as w (order_no, state, amount_fen, refunded_fen, has_units, out_refund_no, transaction_id, mchid, total_fen,
              next_check_at)
), items as (
    select * from unnest($11::text[], $12::text[], $13::integer[], $14::integer[])
        as i (order_no, sku_id, quantity, returned)
), moved as (
    update orders o set state = w.state::order_state, refunded_fen = w.refunded_fen, has_units = w.has_units,
           changed_at = now(), next_check_at = null
    from wanted w
    where o.order_no = w.order_no and o.state = any($15::order_state[])
    returning o.order_no, o.sale_id
), written as (
    insert into refunds (out_refund_no, order_no, sale_id, transaction_id, mchid, amount_fen, total_fen, reason, cause,
                         next_check_at)
    select w.out_refund_no, m.order_no, m.sale_id, w.transaction_id, w.mchid, w.amount_fen, w.total_fen, $16,
           $17::refund_cause, w.next_check_at
    from wanted w join moved m using (order_no)
    where w.out_refund_no is not null
), itemised as (
    insert into refund_items (out_refund_no, sku_id, quantity)
    select w.out_refund_no, i.sku_id, i.quantity
    from items i join wanted w using (order_no) join moved m using (order_no)
    where w.out_refund_no is not null
), returned as (
    update order_items t set returned = t.returned + i.returned
    from items i join moved m using (order_no)
    where t.order_no = i.order_no and t.sale_id = m.sale_id and t.sku_id = i.sku_id and i.returned > 0
    returning t.sku_id, i.returned as quantity
), total as (
    select sku_id, sum(quantity)::integer as quantity from returned group by sku_id
), locked as (
    select s.sku_id, total.quantity from skus s join total using (sku_id) order by s.sku_id for update of s
), lowered as (
    update skus set allocated = allocated - locked.quantity from locked where skus.sku_id = locked.sku_id
)
select order_no from moved

-- name: keep_request
-- Another order's request under the same key may be written at this moment: then this one is not.
insert into refund_requests (request_id, digest, order_no, out_refund_no) values ($1, $2, $3, $4)
on conflict do nothing
returning request_id

-- name: find_request
select q.digest, q.order_no, q.out_refund_no, coalesce(r.amount_fen, 0) as amount_fen,
       (select array_agg(sku_id order by sku_id) from refund_items i where i.out_refund_no = q.out_refund_no) as sku_ids,
       (select array_agg(quantity order by sku_id) from refund_items i where i.out_refund_no = q.out_refund_no)
           as quantities
from refund_requests q left join refunds r on r.out_refund_no = q.out_refund_no
where q.request_id = $1

-- name: retry_stray
-- Money of an order that the book does not have, once more; one that is under way or made keeps it from being twice.
with old as (
    select * from refunds where out_refund_no = $1 and state = 'closed' for update
)
insert into refunds (out_refund_no, order_no, sale_id, transaction_id, mchid, amount_fen, total_fen, reason, cause)
select 'R' || old.order_no || '-' || (select count(*) + 1 from refunds x where x.order_no = old.order_no),
       old.order_no, old.sale_id, old.transaction_id, old.mchid, old.amount_fen, old.total_fen, old.reason, old.cause
from old where not exists (select from refunds x where x.order_no = old.order_no and x.state <> 'closed')
on conflict do nothing
returning out_refund_no, sale_id, amount_fen

-- name: find_refund
select r.order_no, r.state::text as stage, r.cause::text as cause, r.amount_fen, r.reason,
       (select array_agg(sku_id order by sku_id) from refund_items i where i.out_refund_no = r.out_refund_no) as sku_ids,
       (select array_agg(quantity order by sku_id) from refund_items i where i.out_refund_no = r.out_refund_no)
           as quantities,
       -- An order has one refund under way at most: whatever was decided after this one stands in its place.
       exists (
           select from refunds x where x.order_no = r.order_no and x.created_at > r.created_at
               and starts_with(x.out_refund_no, 'R' || r.order_no || '-')
       ) as replaced
from refunds r where r.out_refund_no = $1

-- name: take
-- Leases the refunds that are due to be sent or asked about; the lease is the next time of trying.
with due as (
    select out_refund_no,
           case state when 'intended' then $1::float8[] when 'processing' then $2::float8[] else $3::float8[] end
               as waits_s
    from refunds
    where state in ('intended', 'processing', 'abnormal') and next_check_at <= now()
        and (cause = 'session_cancelled') = $4 and mchid = any($5::text[])
    order by next_check_at limit $6 for update skip locked
)
update refunds r
set checks = r.checks + 1, sent_at = case when r.state = 'intended' then now() else r.sent_at end,
    next_check_at = now() + make_interval(secs => due.waits_s[least(r.checks + 1, cardinality(due.waits_s))])
from due where r.out_refund_no = due.out_refund_no
returning r.out_refund_no, r.order_no, r.mchid, r.amount_fen, r.total_fen, r.reason, r.state::text as stage, r.checks

-- name: postpone
-- Nothing of this refund is under way: the next try is like the first.
update refunds set next_check_at = now() + make_interval(secs => $2::float8), last_code = $3, checks = 0
where out_refund_no = $1 and state = 'intended'

-- name: hasten
-- Ask at the next turn, as the answer of a call was lost.
update refunds set next_check_at = now() where out_refund_no = $1 and state = 'abnormal'

-- name: lock_order_of
-- The order first and its refund after it, here as everywhere.
select o.order_no from refunds r join orders o using (order_no) where r.out_refund_no = $1 for update of o

-- name: read_refund
select r.out_refund_no, r.order_no, r.state::text as stage, r.amount_fen, r.total_fen, o.state::text as order_state,
       others.fen as others_fen, others.success_fen as others_success_fen, others.under_way as others_under_way,
       others.replaced, r.state = 'success' and r.last_code is not distinct from 'SETTLED_BY_HAND' as by_hand
from refunds r left join orders o using (order_no)
cross join lateral (
    select coalesce(sum(amount_fen) filter (where x.state <> 'closed'), 0)::bigint as fen,
           coalesce(sum(amount_fen) filter (where x.state = 'success'), 0)::bigint as success_fen,
           count(*) filter (where x.state in ('intended', 'processing')) > 0 as under_way,
           count(*) filter (
               where x.created_at > r.created_at and starts_with(x.out_refund_no, 'R' || r.order_no || '-')
           ) > 0 as replaced
    from refunds x where x.order_no = r.order_no and x.out_refund_no <> r.out_refund_no
) others
where r.out_refund_no = $1
for update of r

-- name: adopt
-- A refund that somebody made in WeChat's own pages. The order is on its way back unless another refund has it there.
with known as (
    select o.order_no, o.sale_id, p.transaction_id, p.mchid, p.total_fen
    from orders o join payments p using (order_no)
    where o.order_no = $2 order by p.received_at, p.transaction_id limit 1
), moved as (
    update orders o set state = 'refunding', changed_at = now(), next_check_at = null
    from known where o.order_no = known.order_no and o.state = any($5::order_state[])
)
insert into refunds (out_refund_no, order_no, sale_id, transaction_id, mchid, amount_fen, total_fen, reason, cause,
                     sent_at)
select $1, order_no, sale_id, transaction_id, mchid, $3, total_fen, $4, 'organizer', now() from known
on conflict do nothing
returning out_refund_no

-- name: write_step
with moved as (
    update refunds set state = $2::refund_state, refund_id = coalesce($3, refund_id),
        success_at = coalesce($4, success_at), last_code = $5, checks = 0, changed_at = now(),
        next_check_at = now() + make_interval(secs => $6::float8)
    where out_refund_no = $1
    returning order_no, out_refund_no
), order_moved as (
    update orders o set state = coalesce($7::order_state, o.state), refunded_fen = $8, changed_at = now()
    from moved where o.order_no = moved.order_no
)
insert into duties (kind, subject, order_no)
select kind, moved.out_refund_no, moved.order_no from moved cross join unnest($9::text[]) as kind
on conflict do nothing

-- name: free_units
-- The whole money went back in WeChat's own pages, which know no tickets: those that are left are for sale again if
-- the sale says so. Nobody holds them any more.
with whole as (
    select o.order_no, o.sale_id
    from refunds r join orders o on o.order_no = r.order_no join sales s on s.sale_id = o.sale_id
    where r.out_refund_no = $1 and o.state = 'refunded' and o.has_units and s.refund_units_back
        and exists (select from refunds x where x.order_no = o.order_no and x.reason = $2 and x.state = 'success')
), kept as (
    select i.order_no, i.sale_id, i.sku_id, i.quantity - i.returned as quantity
    from order_items i join whole using (order_no, sale_id) where i.returned < i.quantity
), emptied as (
    update orders o set has_units = false from whole w where o.order_no = w.order_no
), returned as (
    update order_items i set returned = i.quantity
    from kept k where i.order_no = k.order_no and i.sale_id = k.sale_id and i.sku_id = k.sku_id
), locked as (
    select s.sku_id, kept.quantity from skus s join kept using (sku_id) order by s.sku_id for update of s
), lowered as (
    update skus set allocated = allocated - locked.quantity from locked where skus.sku_id = locked.sku_id
)
select count(*) from whole

-- name: count_open
select state::text as stage, count(*) as refunds, extract(epoch from now() - min(created_at))::float8 as oldest_s
from refunds where state in ('intended', 'processing', 'abnormal') group by state

-- name: find_closed
-- Refunds that WeChat closed long enough ago to be tried again; those that it refused need a person, and so does
-- what cannot be decided again for a month.
select r.out_refund_no from refunds r join orders o using (order_no)
where r.state = 'closed' and r.last_code = 'CLOSED' and o.state = 'refund_failed'
    and r.changed_at < now() - make_interval(secs => $1::float8)
    and r.changed_at > now() - make_interval(secs => $1::float8) - interval '30 days'
    and not exists (
        select from refunds x where x.order_no = r.order_no and x.created_at > r.created_at
            and starts_with(x.out_refund_no, 'R' || r.order_no || '-')
    )
order by r.changed_at limit $2

-- name: list_refunds
select r.out_refund_no, r.order_no, r.state::text as stage, r.cause::text as cause, r.amount_fen, r.reason, r.refund_id,
       r.mchid, r.last_code, r.created_at, r.sent_at, r.success_at,
       (select array_agg(sku_id order by sku_id) from refund_items i where i.out_refund_no = r.out_refund_no) as sku_ids,
       (select array_agg(quantity order by sku_id) from refund_items i where i.out_refund_no = r.out_refund_no)
           as quantities
from refunds r where r.order_no = any($1::text[])
order by r.order_no, r.created_at, r.out_refund_no

-- name: show_refund
select r.out_refund_no, r.order_no, r.state::text as stage, r.cause::text as cause, r.amount_fen, r.reason, r.refund_id,
       r.mchid, r.last_code, r.created_at, r.sent_at, r.success_at,
       (select array_agg(sku_id order by sku_id) from refund_items i where i.out_refund_no = r.out_refund_no) as sku_ids,
       (select array_agg(quantity order by sku_id) from refund_items i where i.out_refund_no = r.out_refund_no)
           as quantities
from refunds r where r.out_refund_no = $1

-- name: read_terms
select s.time_zone, s.refund_units_back,
       (select array_agg(days_before order by days_before) from refund_tiers t where t.sale_id = s.sale_id) as days_before,
       (select array_agg(percent order by days_before) from refund_tiers t where t.sale_id = s.sale_id) as percents
from sales s where s.sale_id = $1

-- name: read_sessions
select distinct s.session_id, s.starts_at, s.cancelled_at is not null as cancelled
from skus join sessions s using (session_id) where skus.sku_id = any($1::text[])
