-- The mini program's services. Times are the database's own: many processes share one token and one list of duties.

-- name: read_token
select token_sealed, coalesce(extract(epoch from expires_at - now()), 0)::float8 as left_s,
       coalesce(extract(epoch from renew_at - now()), 0)::float8 as fresh_s,
       coalesce(renewing_until > now(), false) as renewing
from access_tokens where appid = $1

-- name: lease_renewal
-- One process at a time asks WeChat for the next token. No row: somebody else does, or the token is fresh.
insert into access_tokens as t (appid, renewing_until) values ($1, now() + make_interval(secs => $2::float8))
on conflict (appid) do update set renewing_until = excluded.renewing_until
where (t.renewing_until is null or t.renewing_until <= now()) and ($3 or t.renew_at is null or t.renew_at <= now())
returning appid

-- name: take_forced_renewal
-- A forced renewal is counted before it is asked for. No row: it is too early, or the day's are used up.
update access_tokens
set forced_at = now(), forced_on = $3::date, forced_count = case when forced_on = $3::date then forced_count + 1 else 1 end
where appid = $1 and (forced_at is null or forced_at <= now() - make_interval(secs => $2::float8))
    and (forced_on is distinct from $3::date or forced_count < $4::integer)
returning forced_count

-- name: keep_token
update access_tokens
set token_sealed = $2, expires_at = now() + make_interval(secs => $3::float8),
    renew_at = now() + make_interval(secs => $4::float8), renewing_until = null
where appid = $1

-- name: end_renewal
-- Nothing came of it; the next try may begin after a moment.
update access_tokens set renewing_until = now() + make_interval(secs => $2::float8) where appid = $1

-- name: take_messages
-- Leases messages that are due, together with the acceptance that each of them uses up. Who died while sending left
-- 'sending' behind: nobody knows whether the buyer was told, so it is not repeated.
with due as (
    select kind, subject, order_no, outcome, created_at from duties
    where state = 'due' and due_at <= now() and kind = any($1::text[])
    order by due_at limit $2 for update skip locked
), owned as (
    select due.*, o.buyer, substr(due.kind, length('tell_') + 1) as message from due left join orders o using (order_no)
), purse as (
    select s.buyer, s.kind, s.count from subscriptions s
    where exists (select from owned where owned.buyer = s.buyer and owned.message = s.kind)
    order by s.buyer, s.kind for update
), ranked as (
    select owned.kind, owned.subject, owned.buyer, owned.message,
           row_number() over (partition by buyer, message order by created_at, subject) as nth
    from owned where buyer is not null and outcome is distinct from 'sending'
), funded as (
    select r.kind, r.subject, r.buyer, r.message from ranked r
    join purse p on p.buyer = r.buyer and p.kind = r.message and r.nth <= p.count
), spent as (
    update subscriptions s set count = s.count - f.used
    from (select buyer, message, count(*)::integer as used from funded group by buyer, message) f
    where s.buyer = f.buyer and s.kind = f.message
), judged as (
    select o.kind, o.subject, o.buyer,
           case when o.outcome = 'sending' then 'unknown'
                when o.buyer is null then 'no_order'
                when f.subject is not null then 'sending'
                when o.created_at < now() - make_interval(secs => $4::float8) then 'never_subscribed'
                else 'not_subscribed' end as outcome
    from owned o left join funded f on f.kind = o.kind and f.subject = o.subject
)
update duties d
set outcome = j.outcome, tries = d.tries + 1, changed_at = now(),
    state = (case when j.outcome in ('sending', 'not_subscribed') then 'due' else 'given_up' end)::duty_state,
    due_at = now() + make_interval(secs => case j.outcome when 'sending' then $3::float8
        else ($5::float8[])[least(d.tries + 1, cardinality($5::float8[]))] end)
from judged j where d.kind = j.kind and d.subject = j.subject
returning d.kind, d.subject, d.order_no, j.buyer, j.outcome

-- name: end_messages
-- What came of messages that were leased: done, given up, or due again, with the acceptance given back where WeChat
-- did nothing, and all of the buyer's acceptances forgotten where WeChat knows of none.
with ended as (
    select * from unnest($1::text[], $2::text[], $3::bytea[], $4::text[], $5::text[], $6::float8[], $7::boolean[], $8::boolean[])
        as e (kind, subject, buyer, state, outcome, wait_s, give_back, forget)
), purse as (
    select s.buyer, s.kind from subscriptions s
    where exists (select from ended e where e.buyer = s.buyer and e.kind = 'tell_' || s.kind and (e.give_back or e.forget))
    order by s.buyer, s.kind for update
), counted as (
    update subscriptions s
    set count = case when f.forget then 0 else s.count + f.back end
    from (select e.buyer, e.kind, bool_or(e.forget) as forget, (count(*) filter (where e.give_back))::integer as back
          from ended e group by e.buyer, e.kind) f
    join purse p on p.buyer = f.buyer and f.kind = 'tell_' || p.kind
    where s.buyer = p.buyer and s.kind = p.kind
)
update duties d
set state = e.state::duty_state, outcome = e.outcome, changed_at = now(), due_at = now() + make_interval(secs => e.wait_s)
from ended e where d.kind = e.kind and d.subject = e.subject and d.state = 'due' and d.outcome = 'sending'
returning d.kind, d.outcome

-- name: read_facts
-- What a message can tell. A session is named, or the order's first one is meant; with `remaining`, only tickets that
-- were not returned count.
with wanted as (
    select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::boolean[])
        as w (kind, subject, order_no, session_id, remaining)
)
select w.kind, w.subject, w.order_no, o.state::text as state, o.amount_fen, b.openid_sealed, s.time_zone,
       ev.title as event, se.title as session, se.venue, (extract(epoch from se.starts_at) * 1000)::bigint as starts_ms,
       se.starts_at <= now() as started, coalesce(r.amount_fen, 0) as refund_fen, t.tiers, t.quantities
from wanted w
join orders o using (order_no)
join sales s using (sale_id)
left join buyers b using (buyer)
left join refunds r on w.kind = 'tell_refunded' and r.out_refund_no = w.subject
cross join lateral (
    select each.* from order_items i join skus k using (sku_id) join sessions each using (session_id)
    where i.order_no = o.order_no and i.sale_id = o.sale_id and (w.session_id = '' or each.session_id = w.session_id)
    order by each.starts_at, each.session_id limit 1
) se
join events ev using (event_id)
cross join lateral (
    select coalesce(array_agg(k.title order by k.sku_id), '{}') as tiers,
           coalesce(array_agg(i.quantity - case when w.remaining then i.returned else 0 end order by k.sku_id), '{}') as quantities
    from order_items i join skus k using (sku_id)
    where i.order_no = o.order_no and i.sale_id = o.sale_id and (w.session_id = '' or k.session_id = w.session_id)
        and (i.quantity > i.returned or not w.remaining)
) t

-- name: plan_reminders
insert into duties (kind, subject, order_no)
select distinct 'tell_reminder', i.order_no || ':' || k.session_id, i.order_no
from sessions se join skus k using (session_id) join order_items i using (sku_id) join orders o using (order_no, sale_id)
where se.starts_at > now() and se.starts_at <= now() + make_interval(hours => $1::integer) and se.cancelled_at is null
    and o.state = 'paid' and i.quantity > i.returned
    and not exists (select from duties d
                    where d.kind = 'tell_reminder' and d.subject = i.order_no || ':' || k.session_id)
limit $2
on conflict do nothing

-- name: plan_shipments
-- Payments of before the reports were switched on: WeChat holds their money, too.
insert into duties (kind, subject, order_no)
select 'shipping', p.order_no, p.order_no
from payments p join orders o using (order_no)
where p.received_at > now() - make_interval(secs => $1::float8) and p.total_fen = o.amount_fen and o.state = 'paid'
    and not exists (select from duties d where d.kind = 'shipping' and d.subject = p.order_no)
limit $2
on conflict do nothing

-- name: take_shipments
update duties
set tries = tries + 1, changed_at = now(),
    due_at = now() + make_interval(secs => ($2::float8[])[least(tries + 1, cardinality($2::float8[]))])
where (kind, subject) in (
    select kind, subject from duties
    where kind = 'shipping' and state = 'due' and due_at <= now()
    order by due_at limit $1 for update skip locked
)
returning subject, order_no, outcome, created_at < now() - make_interval(secs => $3::float8) as too_old

-- name: read_shipments
select o.order_no, o.state::text as state, o.buyer, b.openid_sealed, o.amount_fen, s.time_zone, p.transaction_id,
       ev.title as event, se.title as session, se.venue, (extract(epoch from se.starts_at) * 1000)::bigint as starts_ms,
       t.tiers, t.quantities
from orders o
join sales s using (sale_id)
left join buyers b using (buyer)
left join lateral (
    select transaction_id from payments where payments.order_no = o.order_no
    order by total_fen = o.amount_fen desc, received_at limit 1
) p on true
cross join lateral (
    select each.* from order_items i join skus k using (sku_id) join sessions each using (session_id)
    where i.order_no = o.order_no and i.sale_id = o.sale_id order by each.starts_at, each.session_id limit 1
) se
join events ev using (event_id)
cross join lateral (
    select array_agg(k.title order by k.sku_id) as tiers, array_agg(i.quantity order by k.sku_id) as quantities
    from order_items i join skus k using (sku_id) where i.order_no = o.order_no and i.sale_id = o.sale_id
) t
where o.order_no = any($1::text[])

-- name: end_shipments
update duties d set state = e.state::duty_state, outcome = e.outcome, changed_at = now()
from unnest($1::text[], $2::text[], $3::text[]) as e (subject, state, outcome)
where d.kind = 'shipping' and d.subject = e.subject and d.state = 'due'

-- name: correct_shipment
-- WeChat takes one correction of what it was told.
update duties set state = 'due', outcome = 'correcting', tries = 0, due_at = now(), changed_at = now()
where kind = 'shipping' and subject = $1 and state = 'done' and outcome = 'done'
returning subject

-- name: count_frozen
select count(*)::integer as orders, coalesce(extract(epoch from now() - min(created_at)), 0)::float8 as oldest_s,
       (count(*) filter (where created_at < now() - make_interval(hours => $1::integer)))::integer as overdue
from duties where kind = 'shipping' and state = 'due'

-- name: read_subscriptions
select kind, count from subscriptions where buyer = $1

-- name: keep_subscription_request
-- The key's first use; no row for a repeat.
insert into subscription_requests (request_id, body_digest) values ($1, $2) on conflict do nothing returning request_id

-- name: read_subscription_request
select body_digest from subscription_requests where request_id = $1

-- name: add_subscriptions
insert into subscriptions (buyer, kind, count) select $1, kind, 1 from unnest($2::text[]) as kind order by kind
on conflict (buyer, kind) do update set count = least(subscriptions.count + 1, $3::integer)

-- name: wake_messages
-- Messages that only waited for the buyer's yes need not wait any longer.
update duties d set due_at = now()
from orders o
where o.buyer = $1 and d.order_no = o.order_no and d.kind = any($2::text[]) and d.state = 'due'
    and d.outcome = 'not_subscribed'

-- name: forget_subscription_requests
delete from subscription_requests where created_at < now() - make_interval(secs => $1::float8)

-- name: read_openid
select openid_sealed from buyers where buyer = $1

-- name: keep_phone
update buyers set phone_sealed = $2 where buyer = $1 returning buyer

-- name: read_phone
select phone_sealed from buyers where buyer = $1

-- name: erase_phone
update buyers set phone_sealed = null where buyer = $1

-- name: read_code
select image, url, (extract(epoch from expires_at) * 1000)::bigint as expires_ms
from sale_codes where made_for = $1 and (expires_at is null or expires_at > now() + interval '1 day')

-- name: keep_code
insert into sale_codes (made_for, sale_id, image, url, expires_at)
values ($1, $2, $3, $4, to_timestamp($5::bigint / 1000.0))
on conflict (made_for) do update set image = excluded.image, url = excluded.url, expires_at = excluded.expires_at
