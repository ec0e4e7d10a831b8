-- Money at the ledger: payments, notices, late and wrong money. Every statement that moves an order names the states
-- it may come from; callers check what moved. `skus` is touched last and in the order of its ids, as in the order book.
-- An order is found by its number alone: with the sale beside it, a plan made while the table is small may take the
-- sale's index, and read all orders of the sale for each one.

-- name: start_payments
-- The account is chosen once: the order keeps the one it began with, else its sale names it, else the caller does.
-- An account that is not ours begins nothing: nobody could ask about the order or close it, and its units would stay
-- held for ever.
with wanted as (
    select o.order_no, w.buyer, coalesce(o.mchid, s.mchid, w.mchid) as mchid
    from unnest($1::text[], $2::bytea[], $3::bigint[], $4::text[]) as w (order_no, buyer, now_ms, mchid)
    join orders o on o.order_no = w.order_no and o.buyer = w.buyer
        and o.deadline > to_timestamp(w.now_ms / 1000.0)
    join sales s on s.sale_id = o.sale_id
)
update orders o
set state = case when w.mchid = any($6::text[]) then 'paying' else o.state end, changed_at = now(),
    mchid = case when w.mchid = any($6::text[]) then coalesce(o.mchid, w.mchid) else o.mchid end,
    next_check_at = case when w.mchid = any($6::text[]) then coalesce(o.next_check_at, now() + interval '5 seconds')
                    else o.next_check_at end
from wanted w
where o.order_no = w.order_no and o.state = any($5::order_state[])
returning o.order_no, o.buyer, o.amount_fen, (extract(epoch from o.deadline) * 1000)::bigint as deadline_ms,
    coalesce(o.mchid, w.mchid) as mchid, case when o.prepay_until > now() then o.prepay_id end as prepay_id,
    (select openid_sealed from buyers b where b.buyer = o.buyer) as openid_sealed

-- name: keep_prepays
-- Waits for nobody: whoever holds the order's row now settles or ends it, and its prepay id is not needed any more.
with free as (
    select order_no from orders where order_no = any($1::text[]) for no key update skip locked
)
update orders o set prepay_id = w.prepay_id, prepay_until = w.prepay_until
from unnest($1::text[], $2::text[], $3::timestamptz[]) as w (order_no, prepay_id, prepay_until)
join free using (order_no)
where o.order_no = free.order_no

-- name: hasten
-- The buyer says it is done: WeChat is asked at once, a bounded number of times. Whoever holds the row knows more.
with free as (
    select o.order_no from orders o
    join unnest($1::text[], $2::bytea[]) as w (order_no, buyer) on o.order_no = w.order_no and o.buyer = w.buyer
    where o.state in ('paying', 'closing') and o.checks < $3 and o.next_check_at > now() + interval '1 second'
    for no key update of o skip locked
)
update orders o set next_check_at = now() from free
where o.order_no = free.order_no

-- name: take_checks
-- Leases the orders whose state at the provider is due to be asked; the lease is the next time of asking. The states that
-- have an index are named, for a plan that is kept cannot know what the parameter will be.
update orders set checks = checks + 1,
    next_check_at = now() + make_interval(secs => ($2::float8[])[least(checks + 1, cardinality($2::float8[]))])
where order_no in (
    select order_no from orders
    where state in ('paying', 'closing') and state = any($1::order_state[]) and next_check_at <= now()
    order by next_check_at limit $3 for update skip locked
)
returning order_no, extract(epoch from now() - changed_at)::float8 as age_s

-- name: settle
-- Amount, merchant and buyer are part of the condition: money that differs in any of them moves nothing. The notice
-- that told it is kept in the same transaction, decided or not, so that it may be acknowledged either way.
with wanted as (
    select * from unnest($1::text[], $2::text[], $3::text[], $4::bytea[], $5::integer[], $6::timestamptz[], $7::text[])
        with ordinality as w (order_no, transaction_id, mchid, buyer, total_fen, success_at, learned_by, place)
), moved as (
    update orders o set state = 'paid', changed_at = now(), next_check_at = null, mchid = w.mchid
    from wanted w
    where o.order_no = w.order_no and o.state = any($8::order_state[]) and o.amount_fen = w.total_fen
        and o.buyer = w.buyer and coalesce(o.mchid, w.mchid) = w.mchid
    returning o.order_no, o.sale_id, w.mchid, w.buyer, w.total_fen
), fits as (
    -- A report that differs may stand beside the right one for the same order: it settles nothing.
    select w.*, m.sale_id from wanted w join moved m using (order_no, mchid, buyer, total_fen)
), written as (
    insert into payments (transaction_id, order_no, sale_id, mchid, total_fen, success_at, learned_by)
    select transaction_id, order_no, sale_id, mchid, total_fen, success_at, learned_by from fits
    on conflict do nothing
), owed as (
    insert into duties (kind, subject, order_no)
    select kind, m.order_no, m.order_no from moved m cross join unnest($9::text[]) as kind
    on conflict do nothing
), kept as (
    insert into notices (digest, notice_id, event_type, mchid, subject, body, outcome, decided_at)
    select n.digest, n.notice_id, n.event_type, n.mchid, n.subject, n.body,
           case when f.place is not null then 'paid' end, case when f.place is not null then now() end
    from unnest($10::bytea[], $11::text[], $12::text[], $13::text[], $14::text[], $15::bytea[], $16::bigint[])
        as n (digest, notice_id, event_type, mchid, subject, body, place)
    left join fits f on f.place = n.place
    on conflict do nothing
)
select order_no, sale_id from moved

-- name: retake
with fence as (
    -- As in placing: units that Redis gave under an older epoch were forgotten with it.
    select sale_id from sales where sale_id = $3 and epoch = $4 for share
), moved as (
    update orders o set state = 'paid', has_units = true, changed_at = now()
    from fence
    where o.order_no = $1 and o.state = any($2::order_state[]) and not exists (
        select from order_items i join skus using (sku_id) join sessions s using (session_id)
        where i.order_no = o.order_no and s.cancelled_at is not null
    )
    returning o.order_no, o.sale_id
), total as (
    select i.sku_id, sum(i.quantity)::integer as quantity
    from order_items i join moved using (order_no, sale_id) group by i.sku_id
), locked as (
    select s.sku_id, total.quantity from skus s join total using (sku_id) order by s.sku_id for update of s
), owed as (
    insert into duties (kind, subject, order_no)
    select kind, m.order_no, m.order_no from moved m cross join unnest($5::text[]) as kind
    on conflict do nothing
), raised as (
    update skus set allocated = allocated + locked.quantity from locked where skus.sku_id = locked.sku_id
)
select (select count(*) from fence) as fence, (select order_no from moved) as order_no

-- name: find_cancelled
-- Whether the order still waits for this decision, and a session of it was cancelled: then its money goes back.
select exists (
    select from orders o join order_items i using (order_no, sale_id) join skus using (sku_id)
    join sessions s using (session_id)
    where o.order_no = $1 and o.state = any($2::order_state[]) and s.cancelled_at is not null
) as cancelled

-- name: write_payment
insert into payments (transaction_id, order_no, sale_id, mchid, total_fen, success_at, learned_by)
values ($1, $2, $3, $4, $5, $6, $7)
on conflict do nothing

-- name: decide_refund
-- The whole money of a released order, or of one that was paid wrongly, goes back; its units, if it has any, are free.
with moved as (
    update orders o set state = 'refunding', changed_at = now(), next_check_at = null, has_units = false,
        mchid = $5, refunded_fen = $6
    from (select order_no, has_units from orders where order_no = $1 for update) before
    where o.order_no = before.order_no and o.state = any($2::order_state[])
    returning o.order_no, o.sale_id, before.has_units as had_units
), decided as (
    insert into refunds (out_refund_no, order_no, sale_id, transaction_id, mchid, amount_fen, total_fen, reason, cause)
    select $3, moved.order_no, moved.sale_id, $4, $5, $6::integer, $6::integer, $7, $8::refund_cause from moved
    on conflict do nothing
), total as (
    select i.sku_id, sum(i.quantity)::integer as quantity
    from order_items i join moved using (order_no, sale_id) where moved.had_units group by i.sku_id
), locked as (
    select s.sku_id, total.quantity from skus s join total using (sku_id) order by s.sku_id for update of s
), lowered as (
    update skus set allocated = allocated - locked.quantity from locked where skus.sku_id = locked.sku_id
)
select order_no from moved

-- name: refund_stray
-- Money for an order that this ledger does not have goes back as well.
insert into refunds (out_refund_no, order_no, sale_id, transaction_id, mchid, amount_fen, total_fen, reason, cause)
values ($1, $2, '', $3, $4, $5::integer, $5::integer, $6, 'unknown_order')
on conflict do nothing
returning out_refund_no

-- name: keep_notice
insert into notices (digest, notice_id, event_type, mchid, subject, body)
values ($1, $2, $3, $4, $5, $6)
on conflict do nothing

-- name: decide_notice
update notices set outcome = $2, decided_at = now() where digest = $1 and outcome is null

-- name: take_notices
-- Leases the notices that wait for a decision. Other kinds are left to WeChat, which sends them again.
update notices set checks = checks + 1,
    next_check_at = now() + make_interval(secs => ($1::float8[])[least(checks + 1, cardinality($1::float8[]))])
where digest in (
    select digest from notices
    where outcome is null and next_check_at <= now()
        and (event_type like 'TRANSACTION.%' or event_type like 'REFUND.%')
    order by next_check_at limit $2 for update skip locked
)
returning digest, event_type, mchid, subject, checks, extract(epoch from now() - received_at)::float8 as age_s

-- name: count_open_notices
select count(*) as notices, coalesce(extract(epoch from now() - min(received_at)), 0)::float8 as oldest_s
from notices where outcome is null
