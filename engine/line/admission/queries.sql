-- Every pass that was given out.

-- name: write_admissions
insert into admissions (sale_id, buyer, nonce, epoch, tick, lane, position)
select $1, buyer, nonce, epoch, tick, lane, position
from unnest($2::bytea[], $3::bytea[], $4::bigint[], $5::bigint[], $6::smallint[], $7::bigint[])
    as given (buyer, nonce, epoch, tick, lane, position)
on conflict do nothing
