#!lua flags=no-writes
-- look: the line and its stock at one instant, for the worker's document and for the pacing.
-- KEYS   1 control  2 line  3 admitted  4 claimers  5 deadlines  6 stock  7 checkpoints
-- ARGV   1 epoch  2 pass_ms: how long a pass is good, in serving time
-- CODES  FENCED, SEEN
-- REPLY  {FENCED} or {SEEN, now_ms, opens_ms, closes_ms, paused, round (0: not told), line as a flat array, admitted,
--          claimers, open orders, their last deadline_ms or 0, stock as a flat array, checkpoints as they are packed,
--          passes not used yet by the eighths of their time that have passed, the youngest first}
-- COST   O(lanes + SKUs + checkpoints), whatever the number waiting
-- WHY    One script instead of nine questions: the numbers belong together.

local FENCED, SEEN = 0, 1

local control = redis.call('HMGET', KEYS[1], 'epoch', 'run', 'opens_ms', 'closes_ms', 'paused', 'round')
if control[1] ~= ARGV[1] or control[2] ~= string.match(redis.call('INFO', 'server'), 'run_id:(%x+)') then
  return { FENCED }
end
local time = redis.call('TIME')
local last = redis.call('ZRANGE', KEYS[5], -1, -1, 'WITHSCORES')
local serving_ms, passes = tonumber(redis.call('HGET', KEYS[2], 'serving_ms') or 0), {}
for eighth = 1, 8 do
  local newest = eighth == 1 and '+inf' or '(' .. serving_ms + ARGV[2] * (9 - eighth) / 8
  passes[eighth] = redis.call('ZCOUNT', KEYS[3], serving_ms + ARGV[2] * (8 - eighth) / 8, newest)
end
return { SEEN, time[1] * 1000 + math.floor(time[2] / 1000), tonumber(control[3]), tonumber(control[4]),
  tonumber(control[5]), tonumber(control[6] or 0), redis.call('HGETALL', KEYS[2]), redis.call('ZCARD', KEYS[3]),
  redis.call('ZCARD', KEYS[4]), redis.call('ZCARD', KEYS[5]), tonumber(last[2] or 0), redis.call('HGETALL', KEYS[6]),
  redis.call('LRANGE', KEYS[7], 0, -1), passes }
