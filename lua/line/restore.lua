#!lua
-- restore: after Redis forgot the line, go on behind every number that may have been given out.
-- KEYS   1 control  2 line
-- ARGV   1 epoch  2 ceiling  3 head
-- CODES  STALE_EPOCH, RESTORED
-- REPLY  one code
-- COST   O(1)
-- WHY    Part of a rebuild, while the sale is fenced. Gaps in the numbering are harmless, a number given twice is not.

local STALE_EPOCH, RESTORED = 0, 1

local control = redis.call('HMGET', KEYS[1], 'epoch', 'run', 'cleared_in')
local run = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
if control[1] ~= ARGV[1] or control[2] or control[3] ~= run then
  return STALE_EPOCH
end
redis.call('HSET', KEYS[2], 'tail:0', ARGV[2], 'ceiling:0', ARGV[2], 'head:0', ARGV[3])
return RESTORED
