#!lua flags=no-writes
-- find: the places that the roster has for some buyers.
-- KEYS   1 control  2.. the bucket of each buyer
-- ARGV   1 epoch  2 the buyers' fields, 8 bytes each
-- CODES  FENCED, FOUND
-- REPLY  {FENCED} or {FOUND, one packed place per buyer; -1: none}
-- COST   O(buyers)
-- WHY    In the lobby PostgreSQL gives the places; whoever asks again is answered here and costs it nothing.

local FENCED, FOUND = 0, 1

local control = redis.call('HMGET', KEYS[1], 'epoch', 'run')
if control[1] ~= ARGV[1] or control[2] ~= string.match(redis.call('INFO', 'server'), 'run_id:(%x+)') then
  return { FENCED }
end
local places = {}
for i = 2, #KEYS do
  places[i - 1] = tonumber(redis.call('HGET', KEYS[i], string.sub(ARGV[2], 8 * i - 15, 8 * i - 8)) or -1)
end
return { FOUND, places }
