-- name: read_sale
select s.draw_secret, s.beacon_url, s.beacon_round, l.sealed_at, l.randomness, l.beacon_randomness, l.beacon_signature
from sales s
left join line_sales l using (sale_id)
where s.sale_id = $1

-- name: read_lanes
select lane, lobby_count, root, seed
from line_lanes
where sale_id = $1
order by lane

-- name: is_due
select coalesce(lobby_closes_at, opens_at) <= clock_timestamp()
from sales
where sale_id = $1

-- name: begin_sale
insert into line_sales (sale_id)
values ($1)
on conflict do nothing

-- name: begin_lanes
insert into line_lanes (sale_id, lane)
select $1, lane from sale_lanes where sale_id = $1
union all
select $1, 0 where not exists (select from sale_lanes where sale_id = $1)
on conflict do nothing

-- name: lock_lanes
select from line_lanes
where sale_id = $1
order by lane
for update

-- name: lock_sale
select sealed_at is not null
from line_sales
where sale_id = $1
for update

-- name: keep_root
update line_lanes
set root = $3
where sale_id = $1 and lane = $2 and root is null

-- name: keep_seal
update line_sales
set sealed_at = clock_timestamp()
where sale_id = $1 and sealed_at is null

-- name: keep_seed
update line_lanes
set seed = $3
where sale_id = $1 and lane = $2 and seed is null

-- name: keep_randomness
update line_sales
set randomness = $2, beacon_randomness = $3, beacon_signature = $4
where sale_id = $1 and sealed_at is not null and randomness is null

-- name: read_buyers
select coalesce(string_agg(buyer, ''::bytea order by index), ''::bytea)
from lobby_entries
where sale_id = $1 and lane = $2 and index >= $3 and index < $4

-- name: read_chunks
select chunk, root
from lobby_chunks
where sale_id = $1 and lane = $2
order by chunk

-- name: count_lobbies
select sale_id, lane, lobby_count
from line_lanes
where sale_id = any ($1::text[]) and root is null

-- name: keep_chunk
insert into lobby_chunks (sale_id, lane, chunk, root)
values ($1, $2, $3, $4)
on conflict do nothing
