-- Buyers and their sealed openids.

-- name: keep_buyer
insert into buyers (buyer, openid_sealed) values ($1, $2)
on conflict (buyer) do update set openid_sealed = excluded.openid_sealed where buyers.openid_sealed is null
