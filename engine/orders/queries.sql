-- The order book. Every statement that moves an order names the states it may come from; callers check what moved.
-- A statement that changes `skus.allocated` touches it last and in the order of the SKU ids, so that the hot rows
-- are locked for the shortest time and two batches can never wait for each other in a circle.

-- name: place
with fence as (
    -- The lock makes a rebuild wait for us and us for it: no order of an old epoch slips in behind its count.
    select sale_id from sales where sale_id = $1 and epoch = $2 for share
), wanted as (
    select * from unnest($3::text[], $4::bytea[], $5::bytea[], $6::bytea[], $7::integer[], $8::bigint[], $14::smallint[])
        as w (order_no, buyer, request_id, body_digest, amount_fen, deadline_ms, lane)
), placed as (
    -- What costs nothing is paid at once.
    insert into orders (order_no, sale_id, lane, buyer, request_id, body_digest, amount_fen, deadline, state)
    select w.order_no, fence.sale_id, w.lane, w.buyer, w.request_id, w.body_digest, w.amount_fen,
           to_timestamp(w.deadline_ms / 1000.0), (case w.amount_fen when 0 then 'paid' else 'held' end)::order_state
    from wanted w cross join fence
    on conflict do nothing
    returning order_no, amount_fen
), owed as (
    insert into duties (kind, subject, order_no)
    select kind, p.order_no, p.order_no from placed p cross join unnest($13::text[]) as kind where p.amount_fen = 0
    on conflict do nothing
), itemised as (
    insert into order_items (order_no, sale_id, sku_id, quantity, price_fen)
    select i.order_no, $1, i.sku_id, i.quantity, i.price_fen
    from unnest($9::text[], $10::text[], $11::integer[], $12::integer[])
        as i (order_no, sku_id, quantity, price_fen)
    join placed using (order_no)
    returning sku_id, quantity
), total as (
    select sku_id, sum(quantity)::integer as quantity from itemised group by sku_id
), locked as (
    select s.sku_id, total.quantity from skus s join total using (sku_id) order by s.sku_id for update of s
), raised as (
    update skus set allocated = allocated + locked.quantity from locked where skus.sku_id = locked.sku_id
)
select (select count(*) from fence) as fence, array(select order_no from placed) as placed

-- name: release
with moved as (
    update orders set state = 'released', has_units = false, changed_at = now(), next_check_at = null
    where order_no = any($1::text[]) and state = any($2::order_state[])
    returning order_no, sale_id
), total as (
    select i.sku_id, sum(i.quantity)::integer as quantity
    from order_items i join moved using (order_no, sale_id) group by i.sku_id
), locked as (
    select s.sku_id, total.quantity from skus s join total using (sku_id) order by s.sku_id for update of s
), lowered as (
    update skus set allocated = allocated - locked.quantity from locked where skus.sku_id = locked.sku_id
)
select order_no from moved

-- name: read_orders
select o.order_no, o.sale_id, o.lane, o.buyer, o.request_id, o.body_digest, o.state::text as state, o.has_units, o.amount_fen,
       o.refunded_fen, (extract(epoch from o.deadline) * 1000)::bigint as deadline_ms, o.mchid, o.prepay_id, o.prepay_until, o.checks,
       array_agg(i.sku_id order by i.sku_id) as sku_ids,
       array_agg(i.quantity order by i.sku_id) as quantities,
       array_agg(i.price_fen order by i.sku_id) as prices_fen,
       array_agg(i.returned order by i.sku_id) as returned
from orders o join order_items i using (order_no, sale_id)
where o.order_no = any($1::text[])
group by o.order_no, o.sale_id

-- name: find_requests
select request_id, order_no from orders where sale_id = $1 and request_id = any($2::bytea[])

-- name: list_buyers_orders
select order_no from orders where buyer = $1 order by created_at desc limit $2

-- name: find_lapsed
-- The states that have an index are named, for a plan that is kept cannot know what the parameter will be.
select order_no from orders
where sale_id = $1 and state in ('held', 'paying', 'closing') and state = any($2::order_state[])
    and deadline <= to_timestamp($3::bigint / 1000.0)
order by deadline limit $4

-- name: start_closing
update orders set state = 'closing', changed_at = now(), next_check_at = now(), checks = 0
where order_no = any($1::text[]) and state = any($2::order_state[])
returning order_no

-- name: raise_epoch
update sales set epoch = greatest(epoch, $2) + 1 where sale_id = $1 returning epoch

-- name: lease_rebuild
-- Idle transactions are ended by the server, whatever has become of the client: so no frozen process keeps the lock.
select pg_try_advisory_xact_lock(hashtextextended($1, 0))
    and set_config('idle_in_transaction_session_timeout', $2, true) is not null

-- name: show_life
select 1

-- name: read_epoch
select epoch from sales where sale_id = $1

-- name: read_claims
-- Page through every order of a sale, for a rebuild; one without units still knows its request.
select o.order_no, o.lane, o.buyer, o.request_id, o.body_digest,
       case when not o.has_units then -1
            when o.state in ('held', 'paying', 'closing') then (extract(epoch from o.deadline) * 1000)::bigint
            else 0 end as deadline_ms,
       kept.sku_ids, kept.quantities
from (
    select * from orders where sale_id = $1 and request_id > $2 order by request_id limit $3
) o cross join lateral (
    select coalesce(array_agg(i.sku_id order by i.sku_id), '{}') as sku_ids,
           coalesce(array_agg(i.quantity - i.returned order by i.sku_id), '{}') as quantities
    from order_items i
    where i.order_no = o.order_no and i.sale_id = o.sale_id and (i.quantity > i.returned or not o.has_units)
) kept
order by o.request_id

-- name: find_decided
-- What it keeps is told of an order only when a refund has returned something of it.
select o.order_no, o.state::text as state, o.has_units, kept.sku_ids, kept.quantities
from orders o left join lateral (
    select array_agg(i.sku_id) as sku_ids, array_agg(i.quantity - i.returned) as quantities
    from order_items i where i.order_no = o.order_no and i.sale_id = o.sale_id having sum(i.returned) > 0
) kept on o.has_units
where o.sale_id = $1 and o.changed_at > now() - make_interval(secs => $2::float8)
    and o.state not in ('held', 'paying', 'closing')

-- name: count_states
select state::text as state, count(*) as orders, coalesce(sum(amount_fen), 0)::bigint as amount_fen
from orders where sale_id = $1 group by state

-- name: audit_allocated
-- SKUs whose counter is not the sum of the orders that have units, or stands beyond the capacity.
select s.sku_id, s.capacity, s.allocated, coalesce(t.quantity, 0) as ordered
from skus s left join (
    select i.sku_id, sum(i.quantity - i.returned)::integer as quantity
    from order_items i join orders o using (order_no, sale_id)
    where o.has_units group by i.sku_id
) t using (sku_id)
where s.allocated <> coalesce(t.quantity, 0) or s.allocated > s.capacity

-- name: audit_units
select i.sku_id,
       coalesce(sum(i.quantity - i.returned) filter (where o.state in ('held', 'paying', 'closing')), 0)::integer
           as held,
       coalesce(sum(i.quantity - i.returned) filter (where o.state not in ('held', 'paying', 'closing')), 0)::integer
           as sold
from order_items i join orders o using (order_no, sale_id)
where o.sale_id = $1 and o.has_units
group by i.sku_id

-- name: audit_lanes
-- Units that the buyers of each lane have.
select o.lane, sum(i.quantity - i.returned)::integer as units
from order_items i join orders o using (order_no, sale_id)
where o.sale_id = $1 and o.has_units
group by o.lane

-- name: audit_money
-- Orders whose state and money disagree. Payments less refunds (under way or made) is what the order keeps: nothing
-- before it is paid, something of its price while it is paid, nothing once it is refunded. The three tables are laid
-- on one heap and not joined: a join planned from old statistics took minutes after fifty thousand refunds.
with m as (
    select order_no, max(state) as state, max(amount_fen) as amount_fen, max(refunded_fen) as refunded_fen,
           sum(paid_fen)::bigint as paid_fen, sum(refund_fen)::bigint as refund_fen, sum(made_fen)::bigint as made_fen,
           sum(under_way)::integer as under_way, sum(failed)::integer as failed
    from (
        select order_no, state::text as state, amount_fen, refunded_fen, 0 as paid_fen, 0 as refund_fen, 0 as made_fen,
               0 as under_way, 0 as failed
        from orders
        union all
        select order_no, null, null, null, total_fen, 0, 0, 0, 0 from payments
        union all
        select order_no, null, null, null, 0, case when state <> 'closed' then amount_fen else 0 end,
               case when state = 'success' then amount_fen else 0 end, (state in ('intended', 'processing'))::integer,
               (state in ('abnormal', 'closed'))::integer
        from refunds
    ) heap
    group by order_no
)
select order_no, state, amount_fen, paid_fen, refund_fen, made_fen from m
where state is not null and (case state
    when 'paid' then paid_fen < amount_fen or paid_fen - refund_fen > amount_fen
        or (paid_fen - refund_fen <= 0 and amount_fen > 0)
    when 'refunding' then under_way = 0 or refund_fen > paid_fen or (refund_fen < paid_fen and paid_fen < amount_fen)
    when 'refunded' then made_fen <> paid_fen or refund_fen <> paid_fen
    when 'refund_failed' then failed = 0 or refund_fen > paid_fen
    else paid_fen <> refund_fen
end or refunded_fen <> refund_fen)
limit 100

-- name: audit_refunds
-- Payments that more is given back of than came in.
select transaction_id, max(order_no) as order_no, sum(refund_fen)::bigint as refund_fen,
       sum(paid_fen)::bigint as paid_fen
from (
    select transaction_id, order_no, 0 as paid_fen, amount_fen as refund_fen from refunds where state <> 'closed'
    union all
    select transaction_id, order_no, total_fen, 0 from payments
) heap
group by transaction_id having sum(refund_fen) > sum(paid_fen) limit 100

-- name: audit_returned
-- Paid orders that lost units which no refund returned, and orders that have no unit left but still count.
select o.order_no, o.state::text as state, o.has_units, sum(i.quantity)::integer as units,
       sum(i.returned)::integer as returned
from orders o join order_items i using (order_no, sale_id)
group by o.order_no, o.sale_id
having (o.has_units and sum(i.returned) = sum(i.quantity))
    or (not o.has_units and o.state = 'paid' and sum(i.returned) < sum(i.quantity))
limit 100

-- name: audit_strays
-- Payments without an order are right when all of their money goes back.
with strays as materialized (
    select transaction_id, order_no, total_fen from payments p
    where not exists (select from orders o where o.order_no = p.order_no)
)
select transaction_id, order_no, total_fen from strays
where total_fen > (
    select coalesce(sum(r.amount_fen), 0) from refunds r
    where r.transaction_id = strays.transaction_id and r.state <> 'closed'
)
limit 100

-- name: audit_limits
-- Buyers with more units in a sale than it allows.
select o.sale_id, encode(o.buyer, 'hex') as buyer, sum(i.quantity - i.returned)::integer as units, s.per_buyer_max
from orders o join order_items i using (order_no, sale_id) join sales s on s.sale_id = o.sale_id
where o.has_units
group by o.sale_id, o.buyer, s.per_buyer_max
having sum(i.quantity - i.returned) > s.per_buyer_max limit 100

-- name: audit_totals
select (select coalesce(sum(capacity), 0) from skus)::bigint as capacity,
       (select coalesce(sum(allocated), 0) from skus)::bigint as allocated,
       (select count(*) from orders where state = 'paid') as paid_orders,
       (select coalesce(sum(i.quantity - i.returned), 0) from order_items i join orders o using (order_no, sale_id)
        where o.state = 'paid')::bigint as sold_units,
       (select coalesce(sum(total_fen), 0) from payments)::bigint as paid_fen,
       (select coalesce(sum(amount_fen), 0) from refunds where state = 'success')::bigint as refunded_fen,
       (select count(*) from orders where state in ('held', 'paying', 'closing', 'refunding')) as open_orders
