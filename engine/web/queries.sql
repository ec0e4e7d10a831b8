-- Buyers and their sealed openids.

-- name: keep_buyers
insert into buyers (buyer, openid_sealed)
select * from unnest($1::bytea[], $2::bytea[]) as w (buyer, openid_sealed) order by w.buyer
on conflict (buyer) do update set openid_sealed = excluded.openid_sealed where buyers.openid_sealed is null
