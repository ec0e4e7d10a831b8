-- What reconciliation asks the ledger, and which days are done. Days are days in China.

-- name: find_payments
select p.transaction_id, p.order_no, p.mchid, p.total_fen, p.success_at as moment, o.state::text as order_state,
       coalesce((select sum(r.amount_fen) from refunds r
                 where r.order_no = p.order_no and r.transaction_id = p.transaction_id and r.state <> 'closed'),
                0)::bigint as refunds_fen
from payments p left join orders o on o.order_no = p.order_no
where p.transaction_id = any($1::text[])

-- name: find_refunds
select out_refund_no, refund_id, order_no, transaction_id, mchid, amount_fen, state::text as state,
       coalesce(sent_at, created_at) as moment
from refunds where out_refund_no = any($1::text[])

-- name: find_orders
select order_no, state::text as state from orders where order_no = any($1::text[])

-- name: list_payments
select p.transaction_id, p.order_no, p.mchid, p.total_fen, p.success_at as moment, o.state::text as order_state
from payments p left join orders o on o.order_no = p.order_no
where p.mchid = $1 and p.success_at >= $2 and p.success_at < $3 and (p.success_at, p.transaction_id) > ($4, $5)
order by p.success_at, p.transaction_id limit $6

-- name: list_refunds
-- Refunds that WeChat must know. What is intended was not sent yet, and what is closed may never have been taken.
select out_refund_no, refund_id, order_no, transaction_id, mchid, amount_fen, state::text as state,
       coalesce(sent_at, created_at) as moment
from refunds
where mchid = $1 and coalesce(sent_at, created_at) >= $2 and coalesce(sent_at, created_at) < $3
    and (coalesce(sent_at, created_at), out_refund_no) > ($4, $5) and state in ('processing', 'success', 'abnormal')
order by coalesce(sent_at, created_at), out_refund_no limit $6

-- name: first_payment
select min(success_at) as moment from payments where mchid = $1

-- name: read_days
-- The days that ask for nothing now: finished, at work, or to be tried again later.
select day from bill_days
where mchid = $1 and day >= $2 and (state = 'done' or leased_until > now() or next_try_at > now())

-- name: count_open_days
select count(*) as days from bill_days where state <> 'done'

-- name: lease_day
insert into bill_days (mchid, day, leased_until, tries)
values ($1, $2, now() + make_interval(secs => $3::float8), 1)
on conflict (mchid, day) do update
    set leased_until = excluded.leased_until, tries = bill_days.tries + 1
    where bill_days.state <> 'done' and bill_days.leased_until <= now() and bill_days.next_try_at <= now()
returning tries

-- name: put_off_day
update bill_days set leased_until = now(), next_try_at = now() + make_interval(secs => $3::float8), last_error = $4
where mchid = $1 and day = $2

-- name: finish_day
insert into bill_days (mchid, day, state, leased_until, next_try_at, tries, payments, payments_fen, refunds, refunds_fen,
                       fee_millifen, foreign_rows, differences, repaired, waiting, reconciled_at)
values ($1, $2, $3::bill_day_state, now(), $4, 1, $5, $6, $7, $8, $9, $10, $11, $12, $13, now())
on conflict (mchid, day) do update
    set state = excluded.state, leased_until = excluded.leased_until, next_try_at = excluded.next_try_at,
        payments = excluded.payments, payments_fen = excluded.payments_fen, refunds = excluded.refunds,
        refunds_fen = excluded.refunds_fen, fee_millifen = excluded.fee_millifen, foreign_rows = excluded.foreign_rows,
        differences = excluded.differences, repaired = excluded.repaired, waiting = excluded.waiting,
        last_error = null, reconciled_at = excluded.reconciled_at
