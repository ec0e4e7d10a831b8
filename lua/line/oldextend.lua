#!lua
-- oldextend: let the line's numbering go up to a ceiling that PostgreSQL has written down.
-- KEYS   1 control  2 line
-- ARGV   1 epoch  2 ceiling
-- CODES  FENCED, EXTENDED
-- REPLY  one code
-- COST   O(1)
-- WHY    The ceiling only rises; a late message cannot lower it.

local FENCED, EXTENDED = 0, 1

local control = redis.call('HMGET', KEYS[1], 'epoch', 'run')
if control[1] ~= ARGV[1] or control[2] ~= string.match(redis.call('INFO', 'server'), 'run_id:(%x+)') then
  return FENCED
end
local ceiling = tonumber(redis.call('HGET', KEYS[2], 'ceiling:0') or 0)
if tonumber(ARGV[2]) > ceiling then
  redis.call('HSET', KEYS[2], 'ceiling:0', ARGV[2])
end
return EXTENDED
