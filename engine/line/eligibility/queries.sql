-- Members and presale codes. Only digests are here: of openids, and of codes.

-- name: find_members
select asked.ordinal
from unnest($1::text[], $2::bytea[], $3::smallint[]) with ordinality as asked (sale_id, buyer, lane, ordinal)
join lane_members using (sale_id, buyer, lane)

-- The first who shows a code has it. Rows are locked in one order by everybody; of two in one batch the earlier wins.
-- name: take_codes
with asked as materialized (
    select distinct on (sale_id, code_digest, lane) sale_id, code_digest, lane, buyer
    from unnest($1::text[], $2::bytea[], $3::smallint[], $4::bytea[])
        with ordinality as asked (sale_id, code_digest, lane, buyer, ordinal)
    order by sale_id, code_digest, lane, ordinal
), found as materialized (
    select code.sale_id, code.code_digest, code.lane, code.buyer
    from lane_codes code join asked using (sale_id, code_digest, lane)
    order by code.sale_id, code.code_digest
    for update of code
), taken as (
    update lane_codes code set buyer = asked.buyer
    from found join asked using (sale_id, code_digest, lane)
    where code.sale_id = found.sale_id and code.code_digest = found.code_digest and found.buyer is null
    returning code.sale_id, code.code_digest, code.buyer
)
select found.sale_id, found.code_digest, found.lane, coalesce(taken.buyer, found.buyer) as buyer
from found left join taken using (sale_id, code_digest)

-- name: put_members
insert into lane_members (sale_id, buyer, lane) select $1, buyer, $2::smallint from unnest($3::bytea[]) as buyer
on conflict do nothing

-- name: put_codes
insert into lane_codes (sale_id, code_digest, lane) select $1, digest, $2::smallint from unnest($3::bytea[]) as digest
on conflict do nothing

-- name: count_keys
select lane::integer as lane, sum(members)::bigint as members, sum(codes)::bigint as codes, sum(used)::bigint as used
from (
    select lane, count(*) as members, 0 as codes, 0 as used from lane_members where sale_id = $1 group by lane
    union all
    select lane, 0, count(*), count(buyer) from lane_codes where sale_id = $1 group by lane
) as counted
group by lane
