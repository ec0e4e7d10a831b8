-- The catalog's statements. Instants cross this border as milliseconds since the epoch.

-- name: load_sales
select
    sales.sale_id, sales.title as sale_title, sales.lane, sales.time_zone,
    (extract(epoch from sales.opens_at) * 1000)::bigint as opens_ms,
    (extract(epoch from sales.closes_at) * 1000)::bigint as closes_ms,
    sales.hold_s, sales.per_buyer_max, sales.line_rate, sales.line_concurrency, sales.paused, sales.epoch,
    (extract(epoch from sales.lobby_opens_at) * 1000)::bigint as lobby_opens_ms,
    (extract(epoch from sales.lobby_closes_at) * 1000)::bigint as lobby_closes_ms,
    sales.beacon_url, sales.beacon_round, sales.challenge, sales.round, sales.final_round,
    (select json_agg(l order by l.lane) from sale_lanes l where l.sale_id = sales.sale_id) as lanes,
    sales.refund_units_back, sales.mchid,
    array(select days_before from refund_tiers r where r.sale_id = sales.sale_id order by days_before desc) as days_before,
    array(select percent from refund_tiers r where r.sale_id = sales.sale_id order by days_before desc) as percents,
    events.event_id, events.title as event_title,
    sessions.session_id, sessions.title as session_title, sessions.venue,
    (extract(epoch from sessions.starts_at) * 1000)::bigint as starts_ms,
    sessions.cancelled_at is not null as cancelled,
    skus.sku_id, skus.title as sku_title, skus.price_fen, skus.capacity, skus.per_order_max
from sales
join sale_skus using (sale_id)
join skus using (sku_id)
join sessions using (session_id)
join events using (event_id)
order by sales.opens_at, sales.sale_id, sale_skus.ordinal

-- One apply at a time: it compares first and writes last.
-- name: lock_catalog
select pg_advisory_xact_lock(hashtextextended('floodgate.catalog', 0))

-- Sales before SKUs, each in the order of their ids, as every order that is placed meanwhile locks them.
-- name: lock_sales
select sale_id from sales where sale_id = any($1::text[]) order by sale_id for update

-- name: lock_skus
select sku_id from skus where sku_id = any($1::text[]) order by sku_id for update

-- name: read_events
select event_id, title from events where event_id = any($1::text[])

-- name: read_sessions
select session_id, event_id, title, venue, (extract(epoch from starts_at) * 1000)::bigint as starts_ms
from sessions where session_id = any($1::text[])

-- name: read_skus
select sku_id, session_id, title, price_fen, capacity, allocated, per_order_max
from skus where sku_id = any($1::text[])

-- name: put_event
insert into events (event_id, title) values ($1, $2)
on conflict (event_id) do update set title = excluded.title

-- name: put_session
insert into sessions (session_id, event_id, title, venue, starts_at)
values ($1, $2, $3, $4, to_timestamp($5::bigint / 1000.0))
on conflict (session_id) do update
set title = excluded.title, venue = excluded.venue, starts_at = excluded.starts_at

-- The last word on capacity: `allocated` may have grown since it was compared. No row means refused.
-- name: put_sku
insert into skus (sku_id, session_id, title, price_fen, capacity, per_order_max)
values ($1, $2, $3, $4, $5, $6)
on conflict (sku_id) do update
set title = excluded.title, price_fen = excluded.price_fen, capacity = excluded.capacity,
    per_order_max = excluded.per_order_max
where skus.allocated <= excluded.capacity
returning sku_id

-- name: put_sale
insert into sales (
    sale_id, title, lane, opens_at, closes_at, time_zone, hold_s, per_buyer_max, line_rate, refund_units_back, mchid,
    line_concurrency, lobby_opens_at, lobby_closes_at, beacon_url, beacon_round
)
values (
    $1, $2, $3, to_timestamp($4::bigint / 1000.0), to_timestamp($5::bigint / 1000.0), $6, $7, $8, $9, $10, $11,
    $12, to_timestamp($13::bigint / 1000.0), to_timestamp($14::bigint / 1000.0), $15, $16
)
on conflict (sale_id) do update
set title = excluded.title, lane = excluded.lane, opens_at = excluded.opens_at,
    closes_at = excluded.closes_at, time_zone = excluded.time_zone, hold_s = excluded.hold_s,
    per_buyer_max = excluded.per_buyer_max, line_rate = excluded.line_rate,
    refund_units_back = excluded.refund_units_back, mchid = excluded.mchid,
    line_concurrency = excluded.line_concurrency, lobby_opens_at = excluded.lobby_opens_at,
    lobby_closes_at = excluded.lobby_closes_at, beacon_url = excluded.beacon_url, beacon_round = excluded.beacon_round

-- name: drop_lanes
delete from sale_lanes where sale_id = $1

-- name: put_lanes
insert into sale_lanes (sale_id, lane, lane_id, title, entry, weight, quota_units)
select $1, lane, lane_id, title, entry, weight, quota_units
from unnest($2::smallint[], $3::text[], $4::text[], $5::text[], $6::integer[], $7::integer[])
    as chosen (lane, lane_id, title, entry, weight, quota_units)

-- name: read_begun
select sale_id,
    exists (select from line_sales b where b.sale_id = sale.sale_id and b.sealed_at is not null) as sealed,
    exists (select from line_lanes l where l.sale_id = sale.sale_id and l.lobby_count > 0) as gathered,
    array(select lane from lane_codes c where c.sale_id = sale.sale_id
          union select lane from lane_members m where m.sale_id = sale.sale_id) as keyed
from unnest($1::text[]) as sale (sale_id)

-- Joins and the seal lock the rows of the lanes, and a join makes those that are missing.
-- name: begin_lanes
insert into line_lanes (sale_id, lane) select $1, lane from generate_series(0, $2::integer) as lane
on conflict do nothing

-- name: lock_lanes
select lane from line_lanes where sale_id = $1 order by lane for update

-- name: drop_idle_lanes
delete from line_lanes where sale_id = $1 and lane >= $2::integer and lobby_count = 0 and ceiling = 0

-- A sale that gets units begins a new round if this one had ended, or may be ending at this moment: nothing is left.
-- name: put_up_again
update sales set round = round + 1
where sale_id = any($1::text[])
    and (final_round = round
         or not exists (select from sale_skus join skus using (sku_id) join sessions using (session_id)
                        where sale_skus.sale_id = sales.sale_id and allocated < capacity and cancelled_at is null))

-- What operators change while a sale runs, without its file.

-- name: set_paused
update sales set paused = $2 where sale_id = $1 returning sale_id

-- Without a row there is no such sale, or nothing would pace its line.
-- name: steer_line
update sales
set line_rate = case when $2::boolean then $3::integer else line_rate end,
    line_concurrency = case when $4::boolean then $5::integer else line_concurrency end,
    challenge = coalesce($6::text, challenge)
where sale_id = $1
    and (case when $2 then $3 else line_rate end is not null
         or case when $4 then $5 else line_concurrency end is not null)
returning sale_id

-- name: find_sale
select final_round = round as final from sales where sale_id = $1

-- name: reopen_sale
update sales set round = round + 1
where sale_id = $1 and final_round = round
    and exists (select from sale_skus join skus using (sku_id) join sessions using (session_id)
                where sale_skus.sale_id = sales.sale_id and allocated < capacity and cancelled_at is null)
returning round

-- name: drop_sale_skus
delete from sale_skus where sale_id = $1

-- name: put_sale_skus
insert into sale_skus (sale_id, sku_id, ordinal)
select $1, sku_id, ordinal from unnest($2::text[]) with ordinality as chosen (sku_id, ordinal)

-- name: drop_refund_tiers
delete from refund_tiers where sale_id = $1

-- name: put_refund_tiers
insert into refund_tiers (sale_id, days_before, percent)
select $1, days_before, percent from unnest($2::integer[], $3::integer[]) as tier (days_before, percent)

-- Everybody who has tickets of the session is to be told, once for each change. A buyer who was not told of the last
-- change yet is told of both at once: a message says how things are when it is sent.
-- name: owe_changed
insert into duties (kind, subject, order_no)
select distinct 'tell_changed', i.order_no || ':' || k.session_id || ':' || (extract(epoch from now()) * 1000)::bigint,
       i.order_no
from skus k join order_items i using (sku_id) join orders o using (order_no, sale_id)
where k.session_id = $1 and o.state in ('paid', 'refunding') and i.quantity > i.returned
    and not exists (select from duties d
                    where d.order_no = i.order_no and d.kind = 'tell_changed' and d.state = 'due'
                        and d.outcome is distinct from 'sending'
                        and split_part(d.subject, ':', 2) = k.session_id)
on conflict do nothing
