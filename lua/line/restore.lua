#!lua
-- restore: after Redis forgot the line, go on behind every live index that may have been given out.
-- KEYS   1 control  2 line
-- ARGV   1 epoch  2 serving_ms  3 final (1 or 0)
--        4.. of each lane: ordinal, tail, ceiling, head, gap_from, gap_to
-- CODES  STALE_EPOCH, RESTORED
-- REPLY  one code
-- COST   O(lanes)
-- WHY    Part of a rebuild, while the sale is fenced. The tail begins at the ceiling: nobody knows how far the indexes
--        below it were given out. The gap may have owners who show their places.

local STALE_EPOCH, RESTORED = 0, 1

local control = redis.call('HMGET', KEYS[1], 'epoch', 'run', 'cleared_in')
local run = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
if control[1] ~= ARGV[1] or control[2] or control[3] ~= run then
  return STALE_EPOCH
end
redis.call('HSET', KEYS[2], 'serving_ms', ARGV[2], 'final', ARGV[3])
for i = 4, #ARGV, 6 do
  local lane = ':' .. ARGV[i]
  redis.call('HSET', KEYS[2], 'tail' .. lane, ARGV[i + 1], 'ceiling' .. lane, ARGV[i + 2], 'head' .. lane, ARGV[i + 3],
    'gap_from' .. lane, ARGV[i + 4], 'gap_to' .. lane, ARGV[i + 5])
end
return RESTORED
