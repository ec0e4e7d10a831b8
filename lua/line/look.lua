#!lua flags=no-writes
-- look: the line and its stock at one instant, for the worker's document and for the pacing.
-- KEYS   1 control  2 line  3 admitted  4 claimers  5 deadlines  6 stock  7 checkpoints
-- ARGV   1 epoch
-- CODES  FENCED, SEEN
-- REPLY  {FENCED} or {SEEN, now_ms, opens_ms, closes_ms, paused, round (0: not told), line as a flat array, admitted,
--          claimers, open orders, their last deadline_ms or 0, stock as a flat array, checkpoints as they are packed}
-- COST   O(lanes + SKUs + checkpoints), whatever the number waiting
-- WHY    One script instead of nine questions: the numbers belong together.

local FENCED, SEEN = 0, 1

local control = redis.call('HMGET', KEYS[1], 'epoch', 'run', 'opens_ms', 'closes_ms', 'paused', 'round')
if control[1] ~= ARGV[1] or control[2] ~= string.match(redis.call('INFO', 'server'), 'run_id:(%x+)') then
  return { FENCED }
end
local time = redis.call('TIME')
local last = redis.call('ZRANGE', KEYS[5], -1, -1, 'WITHSCORES')
return { SEEN, time[1] * 1000 + math.floor(time[2] / 1000), tonumber(control[3]), tonumber(control[4]),
  tonumber(control[5]), tonumber(control[6] or 0), redis.call('HGETALL', KEYS[2]), redis.call('ZCARD', KEYS[3]),
  redis.call('ZCARD', KEYS[4]), redis.call('ZCARD', KEYS[5]), tonumber(last[2] or 0), redis.call('HGETALL', KEYS[6]),
  redis.call('LRANGE', KEYS[7], 0, -1) }
