-- The lobby's entries and the ceilings of the live indexes.

-- name: make_lanes
insert into line_lanes (sale_id, lane)
select $1, lane from unnest($2::smallint[]) as lane
order by lane
on conflict do nothing

-- One transaction at a time numbers a sale's lobby; whoever seals it takes the same locks in the same order.
-- name: lock_lanes
select from line_lanes where sale_id = $1 order by lane for update

-- The statement after the lock sees everything that was committed before it. A buyer whose row has no index got none:
-- the gate says why.
-- name: enter_lobby
with asked as (
    select buyer, lane, ordinal from unnest($2::bytea[], $3::smallint[]) with ordinality as asked (buyer, lane, ordinal)
),
gate as materialized (
    select case
        when l.sealed_at is not null or clock_timestamp() >= coalesce(s.lobby_closes_at, s.opens_at) then 'closed'
        when clock_timestamp() < s.lobby_opens_at then 'early'
        else 'open'
    end as state
    from sales s left join line_sales l using (sale_id)
    where s.sale_id = $1
),
-- A worker's catalog may be a second old: nobody enters a lane that the organizer has taken away.
offered as (
    select lane from sale_lanes where sale_id = $1
    union all
    select 0 where not exists (select from sale_lanes where sale_id = $1)
),
known as (
    select e.buyer, e.lane, e.index from asked join lobby_entries e on e.sale_id = $1 and e.buyer = asked.buyer
),
fresh as materialized (
    select buyer, asked.lane, l.lobby_count + row_number() over (partition by asked.lane order by ordinal) - 1 as index
    from asked
    join offered using (lane)
    join line_lanes l on l.sale_id = $1 and l.lane = asked.lane
    join gate on gate.state = 'open'
    where not exists (select from lobby_entries e where e.sale_id = $1 and e.buyer = asked.buyer)
),
written as (
    insert into lobby_entries (sale_id, lane, index, buyer) select $1, lane, index, buyer from fresh
),
counted as (
    update line_lanes l set lobby_count = l.lobby_count + new.count
    from (select lane, count(*) as count from fresh group by lane) new
    where l.sale_id = $1 and l.lane = new.lane
)
select gate.state, coalesce(known.lane, fresh.lane) as lane, coalesce(known.index, fresh.index)::integer as index
from asked cross join gate left join known using (buyer) left join fresh using (buyer)
order by asked.ordinal

-- name: read_entries
select lane, index, buyer from lobby_entries
where sale_id = $1 and (lane, index) > ($2, $3)
order by lane, index
limit $4

-- The tail that was reached is kept with it: after a loss the gap of unknown owners begins there.
-- name: raise_ceiling
insert into line_lanes (sale_id, lane, tail, ceiling) values ($1, $2, $3, $4)
on conflict (sale_id, lane) do update
set ceiling = greatest(line_lanes.ceiling, excluded.ceiling), tail = greatest(line_lanes.tail, excluded.tail)
returning ceiling

-- name: read_serving
select serving_ms from line_sales where sale_id = $1

-- name: read_lanes
select lane, lobby_count, ceiling, tail, head, gap_from, gap_to from line_lanes where sale_id = $1 order by lane

-- name: keep_gaps
update line_lanes l set gap_from = lost.gap_from, gap_to = lost.gap_to
from unnest($2::smallint[], $3::bigint[], $4::bigint[]) as lost (lane, gap_from, gap_to)
where l.sale_id = $1 and l.lane = lost.lane

-- name: read_closed
select sale_id, epoch from sales
where closes_at < to_timestamp($1::bigint / 1000.0) and not sale_id = any($2::text[])
order by sale_id
