-- The mini program's services. Times are the database's own: many processes share one token and one list of duties.

-- name: read_token
select token_sealed, coalesce(extract(epoch from expires_at - now()), 0)::float8 as left_s,
       coalesce(extract(epoch from renew_at - now()), 0)::float8 as fresh_s,
       coalesce(renewing_until > now(), false) as renewing
from access_tokens where appid = $1

-- name: lease_renewal
-- One process at a time asks WeChat for the next token. No row: somebody else does, or the token is fresh.
insert into access_tokens as t (appid, renewing_until) values ($1, now() + make_interval(secs => $2::float8))
on conflict (appid) do update set renewing_until = excluded.renewing_until
where (t.renewing_until is null or t.renewing_until <= now()) and ($3 or t.renew_at is null or t.renew_at <= now())
returning appid

-- name: take_forced_renewal
-- A forced renewal is counted before it is asked for. No row: it is too early, or the day's are used up.
update access_tokens
set forced_at = now(), forced_on = $3::date, forced_count = case when forced_on = $3::date then forced_count + 1 else 1 end
where appid = $1 and (forced_at is null or forced_at <= now() - make_interval(secs => $2::float8))
    and (forced_on is distinct from $3::date or forced_count < $4::integer)
returning forced_count

-- name: keep_token
update access_tokens
set token_sealed = $2, expires_at = now() + make_interval(secs => $3::float8),
    renew_at = now() + make_interval(secs => $4::float8), renewing_until = null
where appid = $1

-- name: end_renewal
-- Nothing came of it; the next try may begin after a moment.
update access_tokens set renewing_until = now() + make_interval(secs => $2::float8) where appid = $1
