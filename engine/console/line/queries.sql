-- What the ledger knows of a line, for its operators and for its audit.

-- name: read_lanes
select lane, lobby_count, tail, head, gap_from, gap_to from line_lanes where sale_id = $1

-- name: count_units
select o.lane, sum(i.quantity - i.returned)::bigint as units
from orders o join order_items i using (order_no)
where o.sale_id = $1 and o.state not in ('released', 'refunded')
group by o.lane

-- People called in the last so many seconds. There are at most five ticks a second.
-- name: count_called
select coalesce(sum(released) filter (where at > now() - make_interval(secs => $3::integer)), 0)::bigint
from (select released, at from line_ticks where sale_id = $1 and epoch = $2 order by tick desc limit $3 * 5) as lately

-- Ticks and passes in the order in which they happened: a tick before the passes that were given out under it. Ticks
-- are written a second or so after they happened.
-- name: read_audit_log
select epoch, tick, 0 as kind, heads, released, null::smallint as lane, null::bigint as position, null::bytea as buyer,
    true as settled
from line_ticks where sale_id = $1
union all
select epoch, tick, 1, null, null, lane, position, buyer, admitted_at < now() - interval '10 seconds'
from admissions where sale_id = $1
order by epoch, tick, kind

-- name: read_last_heads
select s.epoch, array(select head from line_lanes l where l.sale_id = s.sale_id order by lane) as heads
from sales s where s.sale_id = $1

-- name: find_moved_buyers
select epoch, lane, buyer, array_agg(distinct position order by position) as positions
from admissions where sale_id = $1
group by epoch, lane, buyer
having count(distinct position) > 1
order by epoch, lane limit $2

-- name: find_shared_places
select lane, position, count(distinct buyer)::integer as buyers
from admissions where sale_id = $1
group by lane, position
having count(distinct buyer) > 1
order by lane, position limit $2
