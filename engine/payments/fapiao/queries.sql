-- Fapiao. Every statement that moves one names the states it may come from; callers check what moved.
-- Money is read where it is written: the payment's sum less the refunds of it that succeeded.

-- name: read_money
select o.order_no, o.sale_id, p.mchid, p.transaction_id,
       (p.total_fen - coalesce((
           select sum(r.amount_fen) from refunds r
           where r.order_no = o.order_no and r.transaction_id = p.transaction_id and r.state = 'success'
       ), 0))::integer as kept_fen,
       coalesce((
           select sum(i.quantity - i.returned) from order_items i
           where i.order_no = o.order_no and i.sale_id = o.sale_id
       ), 0)::integer as quantity,
       o.state in ('paid', 'refunded', 'refund_failed') as settled,
       o.state = 'paid' as paid,
       (select b.openid_sealed from buyers b where b.buyer = o.buyer) as openid_sealed, o.buyer
from orders o
join lateral (
    select * from payments where order_no = o.order_no order by received_at, transaction_id limit 1
) p on true
where o.order_no = $1

-- name: ask
insert into fapiaos (fapiao_id, order_no, sale_id, round, mchid, transaction_id, apply_id, scene, next_check_at)
values ($1, $2, $3, 1, $4, $5, $6, $7, null)
on conflict do nothing

-- name: ask_again
-- A link is handed out: its title is looked for from now on, told or not.
update fapiaos set tries = 0, next_check_at = now() + make_interval(secs => $2::float8)
where fapiao_id = $1 and state = 'asked'

-- name: list_fapiaos
select * from fapiaos where order_no = $1 order by round desc

-- name: list_by_state
select * from fapiaos where state = any($1::fapiao_state[]) order by changed_at desc limit $2

-- name: read_fapiao
select * from fapiaos where fapiao_id = $1

-- name: apply
-- The buyer's title is there: an application that we know.
update fapiaos set state = 'applied', tries = 0, changed_at = now(), next_check_at = now()
where apply_id = $1 and mchid = $2 and state = any($3::fapiao_state[])
returning fapiao_id

-- name: knows_application
select exists (select from fapiaos where apply_id = $1 and mchid = $2)

-- name: find_payment
-- An application that began on the receipt of a payment carries the payment's number.
select order_no, sale_id from payments where transaction_id = $1 and mchid = $2

-- name: begin_from_receipt
insert into fapiaos (fapiao_id, order_no, sale_id, round, mchid, transaction_id, apply_id, scene, state)
values ($1, $2, $3, 1, $4, $5, $5, 'WITH_WECHATPAY', 'applied')
on conflict do nothing
returning fapiao_id

-- name: wake
-- WeChat told something about this application: ask about all of it that is in motion, now. What may have been sent
-- stays so: it is asked about before it is sent again.
update fapiaos set tries = least(tries, 1), next_check_at = now()
where apply_id = $1 and mchid = $2 and state = any($3::fapiao_state[])
returning fapiao_id

-- name: take_due
-- Leases the fapiao that are due; the lease is the next time of asking.
update fapiaos set tries = tries + 1,
    next_check_at = now() + make_interval(secs => ($1::float8[])[least(tries + 1, cardinality($1::float8[]))])
where fapiao_id in (
    select fapiao_id from fapiaos where next_check_at <= now()
    order by next_check_at limit $2 for update skip locked
)
returning *

-- name: rest
-- Nothing more is asked about it until somebody tells something.
update fapiaos set next_check_at = null where fapiao_id = $1 and state = $2::fapiao_state

-- name: keep_title
update fapiaos set state = 'titled', title_sealed = $2, tries = 0, changed_at = now(), next_check_at = now()
where fapiao_id = $1 and state = any($3::fapiao_state[]) and not title_erased
returning fapiao_id

-- name: freeze
-- The intent: from here on a repeat says the same, and only WeChat's word moves it.
update fapiaos set state = 'issuing', amount_fen = $2, content = $3, tries = 0, changed_at = now(),
    next_check_at = now()
where fapiao_id = $1 and state = any($4::fapiao_state[])
returning fapiao_id

-- name: move
update fapiaos set state = $2::fapiao_state, reason = $3, card_status = coalesce($4, card_status),
    fapiao_code = coalesce($5, fapiao_code), fapiao_number = coalesce($6, fapiao_number),
    tries = 0, changed_at = now(),
    next_check_at = case when $7::float8 is null then null else now() + make_interval(secs => $7::float8) end
where fapiao_id = $1 and state = any($8::fapiao_state[])
returning fapiao_id

-- name: note_card
update fapiaos set card_status = coalesce($2, card_status), fapiao_code = coalesce($3, fapiao_code),
    fapiao_number = coalesce($4, fapiao_number)
where fapiao_id = $1

-- name: begin_next
-- The same title under the next round; if it was put away meanwhile, it is asked for again, unless its owner had it
-- erased. Or ($5 names the state to begin in) the buyer says it anew, and nothing of the old one counts.
insert into fapiaos (fapiao_id, order_no, sale_id, round, mchid, transaction_id, apply_id, scene, title_sealed,
    title_erased, state, reason, next_check_at)
select $2, order_no, sale_id, round + 1, mchid, transaction_id, $3, $4,
       case when $5::fapiao_state is null then title_sealed end,
       title_erased and $5::fapiao_state is null,
       case when $5::fapiao_state is not null then $5::fapiao_state
            when title_erased then 'issue_failed'
            when title_sealed is null then 'applied' else 'titled' end::fapiao_state,
       case when title_erased and $5::fapiao_state is null then 'TITLE_ERASED' end,
       case when $5::fapiao_state = 'asked' or (title_erased and $5::fapiao_state is null) then null else now() end
from fapiaos where fapiao_id = $1
on conflict do nothing

-- name: read_newest_of_application
select * from fapiaos where apply_id = $1 and mchid = $2 order by round desc limit 1

-- name: begin_reversing
-- Issued for another sum than was kept, and nothing is on its way back any more.
with due as (
    select f.fapiao_id
    from fapiaos f
    join orders o on o.order_no = f.order_no
    join payments p on p.transaction_id = f.transaction_id
    join lateral (
        select sum(r.amount_fen) as refunded_fen from refunds r
        where r.order_no = f.order_no and r.transaction_id = f.transaction_id and r.state = 'success'
    ) r on r.refunded_fen is not null
    where f.state = 'issued' and o.state <> 'refunding' and p.total_fen - r.refunded_fen <> f.amount_fen
    order by f.changed_at limit $2 for update of f skip locked
)
update fapiaos f set state = 'reversing', tries = 0, changed_at = now(), next_check_at = now()
from due where f.fapiao_id = due.fapiao_id and f.state = any($1::fapiao_state[])
returning f.fapiao_id

-- name: put_titles_away
-- Titles of fapiao that came to rest long enough ago.
update fapiaos set title_sealed = null
where fapiao_id in (
    select fapiao_id from fapiaos
    where title_sealed is not null and state = any($1::fapiao_state[])
        and changed_at < now() - make_interval(days => $2::integer)
    order by changed_at limit $3 for update skip locked
)
returning fapiao_id

-- name: erase_titles
-- A buyer's wish: no title that was here stays, and none of them is asked for again. A form that is still open at
-- WeChat is the buyer's to fill in or not.
update fapiaos f set title_sealed = null, title_erased = true
from orders o where o.order_no = f.order_no and o.sale_id = f.sale_id and o.buyer = $1 and not f.title_erased
    and f.state not in ('asked', 'applied')
returning f.fapiao_id

-- name: count_failed
select count(*) from fapiaos where state = any($1::fapiao_state[])
