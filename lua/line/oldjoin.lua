#!lua
-- oldjoin: give every buyer one place in the line, first come first served.
-- KEYS   1 control  2 line  3 places
-- ARGV   1 epoch  2.. buyer, index of a signed place the buyer shows (-1: none), buyer, index, ...
-- CODES  FENCED, JOINED
-- REPLY  {FENCED} or {JOINED, one index per buyer; -1 where the numbering must be extended first}
-- COST   1 read and at most 2 writes per batch
-- WHY    A known buyer gets the same index again, on any phone. A place that was signed before Redis forgot it is
--        honoured. Numbers are given out only below the ceiling, which PostgreSQL has written down, so no number is
--        ever given twice.

local FENCED, JOINED = 0, 1

local control = redis.call('HMGET', KEYS[1], 'epoch', 'run')
if control[1] ~= ARGV[1] or control[2] ~= string.match(redis.call('INFO', 'server'), 'run_id:(%x+)') then
  return { FENCED }
end
local line = redis.call('HMGET', KEYS[2], 'tail:0', 'ceiling:0')
local tail, ceiling = tonumber(line[1] or 0), tonumber(line[2] or 0)
local buyers = {}
for i = 2, #ARGV, 2 do
  buyers[#buyers + 1] = ARGV[i]
end
local known = redis.call('HMGET', KEYS[3], unpack(buyers))
local place_of, indexes, new_places, first_tail = {}, {}, {}, tail
for i = 1, #buyers do
  local buyer, shown = buyers[i], tonumber(ARGV[2 * i + 1])
  local index = tonumber(known[i] or place_of[buyer] or -1)
  if index < 0 then
    if shown >= 0 and shown < ceiling then
      index = shown
    elseif tail < ceiling then
      index = tail
      tail = tail + 1
    end
    if index >= 0 then
      place_of[buyer] = index
      new_places[#new_places + 1] = buyer
      new_places[#new_places + 1] = index
    end
  end
  indexes[i] = index
end
if #new_places > 0 then
  redis.call('HSET', KEYS[3], unpack(new_places))
end
if tail > first_tail then
  redis.call('HSET', KEYS[2], 'tail:0', tail)
end
return { JOINED, indexes }
