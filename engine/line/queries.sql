-- How far the numbering of each line may go, written down before a number is given out.

-- name: raise_ceiling
with sale as (
    insert into line_sales (sale_id) values ($1) on conflict do nothing
)
insert into line_lanes (sale_id, lane, ceiling) values ($1, 0, $2)
on conflict (sale_id, lane) do update set ceiling = greatest(line_lanes.ceiling, excluded.ceiling)
returning ceiling

-- name: keep_head
insert into line_lanes (sale_id, lane, head) values ($1, 0, $2)
on conflict (sale_id, lane) do update set head = greatest(line_lanes.head, excluded.head)
