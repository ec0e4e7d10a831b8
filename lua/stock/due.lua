#!lua flags=no-writes
-- due: holds whose deadline has passed by some grace, oldest first, and the time by which everybody counts.
-- KEYS   1 control  2 deadlines
-- ARGV   1 epoch  2 grace_ms  3 count_max
-- CODES  FENCED, DUE
-- REPLY  {FENCED, now_ms} or {DUE, now_ms, order numbers}
-- COST   O(log holds + count_max)
-- WHY    PostgreSQL decides every release; this list is how claims that PostgreSQL never heard of, or decided
--        without Redis hearing of it, are found.

local FENCED, DUE = 0, 1

local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
local control = redis.call('HMGET', KEYS[1], 'epoch', 'run')
if control[1] ~= ARGV[1] or control[2] ~= string.match(redis.call('INFO', 'server'), 'run_id:(%x+)') then
  return { FENCED, now_ms }
end
return { DUE, now_ms, redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now_ms - ARGV[2], 'LIMIT', 0, ARGV[3]) }
