#!lua
-- extend: let a lane's live indexes go up to a ceiling that PostgreSQL has written down.
-- KEYS   1 control  2 line
-- ARGV   1 epoch  2 lane  3 ceiling
-- CODES  FENCED, EXTENDED
-- REPLY  one code
-- COST   O(1)
-- WHY    The ceiling only rises; a late message cannot lower it.

local FENCED, EXTENDED = 0, 1

local control = redis.call('HMGET', KEYS[1], 'epoch', 'run')
if control[1] ~= ARGV[1] or control[2] ~= string.match(redis.call('INFO', 'server'), 'run_id:(%x+)') then
  return FENCED
end
local ceiling = tonumber(redis.call('HGET', KEYS[2], 'ceiling:' .. ARGV[2]) or 0)
if tonumber(ARGV[3]) > ceiling then
  redis.call('HSET', KEYS[2], 'ceiling:' .. ARGV[2], ARGV[3])
end
return EXTENDED
