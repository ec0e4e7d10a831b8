-- How far the numbering of each line may go, written down before a number is given out.

-- name: raise_ceiling
insert into lines (sale_id, ceiling) values ($1, $2)
on conflict (sale_id) do update set ceiling = greatest(lines.ceiling, excluded.ceiling)
returning ceiling

-- name: keep_head
insert into lines (sale_id, head) values ($1, $2)
on conflict (sale_id) do update set head = greatest(lines.head, excluded.head)

-- name: read_line
select ceiling, head from lines where sale_id = $1
