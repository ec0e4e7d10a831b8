#!lua flags=no-writes
-- observe: the state of a sale at one instant, for the worker's snapshot.
-- KEYS   1 control  2 stock  3 claimants
-- ARGV   1 epoch  2 how many claimants are known already
-- CODES  FENCED, OBSERVED
-- REPLY  {FENCED, now_ms} or {OBSERVED, now_ms, opens_ms, closes_ms, paused, stock as a flat array, new claimants}
-- COST   O(SKUs + new claimants)
-- WHY    Stock and claimants of the same instant: who is not among the claimants of an empty SKU cannot be repeating
--        an order that was won before, so the worker may refuse without asking again.

local FENCED, OBSERVED = 0, 1

local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
local control = redis.call('HMGET', KEYS[1], 'epoch', 'run', 'opens_ms', 'closes_ms', 'paused')
if control[1] ~= ARGV[1] or control[2] ~= string.match(redis.call('INFO', 'server'), 'run_id:(%x+)') then
  return { FENCED, now_ms }
end
return { OBSERVED, now_ms, tonumber(control[3]), tonumber(control[4]), tonumber(control[5]),
  redis.call('HGETALL', KEYS[2]), redis.call('LRANGE', KEYS[3], ARGV[2], -1) }
