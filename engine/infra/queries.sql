-- What the planner should know.

-- name: find_grown
-- Tables of ours with as many changes since they were last analysed as they had rows then, and a few at least.
select format('%I.%I', s.schemaname, s.relname) as name
from pg_stat_user_tables s join pg_class c on c.oid = s.relid
where s.schemaname = any(current_schemas(false)) and s.n_mod_since_analyze >= greatest($1, c.reltuples)
order by s.n_mod_since_analyze desc
