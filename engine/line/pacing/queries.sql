-- How far each line has come, written down behind the ticks. Every statement may be repeated and may come late.

-- name: keep_clock
insert into line_sales (sale_id, serving_ms) values ($1, $2)
on conflict (sale_id) do update set serving_ms = excluded.serving_ms
where line_sales.serving_ms < excluded.serving_ms

-- name: keep_heads
insert into line_lanes (sale_id, lane, head, tail)
select $1, lane, head, tail from unnest($2::smallint[], $3::bigint[], $4::bigint[]) as seen (lane, head, tail)
order by lane
on conflict (sale_id, lane) do update
set head = greatest(line_lanes.head, excluded.head), tail = greatest(line_lanes.tail, excluded.tail)
where line_lanes.head < excluded.head or line_lanes.tail < excluded.tail

-- name: log_ticks
insert into line_ticks (sale_id, epoch, tick, at, heads, free, held, admitted, released)
select $1, epoch, tick, to_timestamp(at_ms / 1000.0), string_to_array(heads, ' ')::bigint[], free, held, admitted, released
from unnest($2::bigint[], $3::bigint[], $4::bigint[], $5::text[], $6::integer[], $7::integer[], $8::integer[], $9::integer[])
    as seen (epoch, tick, at_ms, heads, free, held, admitted, released)
on conflict do nothing

-- name: keep_final
update sales set final_round = $2 where sale_id = $1 and round = $2 and final_round < $2
