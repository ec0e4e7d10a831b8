#!lua
-- enroll: tell the roster of places that PostgreSQL has given in the lobby.
-- KEYS   1 control  2 line  3.. the bucket of each buyer
-- ARGV   1 epoch  2 the buyers' fields, 8 bytes each  3 their packed places, a msgpack array
--        4.. lane, people of its lobby who are all in the roster by now, lane, ...
-- CODES  FENCED, ENROLLED
-- REPLY  one code
-- COST   O(buyers)
-- WHY    While the lobby fills, and while a cleared sale is loaded again. Each buyer is counted once, however often
--        this is sent: join gives out no live place until everybody of the lobby is here, or somebody who gathered
--        there could get a second place behind. A place in the lobby is better than any other its buyer may have.
--        Who showed a signed place is here uncounted, so whoever has sent the whole lobby says so.

local FENCED, ENROLLED = 0, 1

local control = redis.call('HMGET', KEYS[1], 'epoch', 'run', 'cleared_in')
if control[1] ~= ARGV[1]
  or (control[2] or control[3]) ~= string.match(redis.call('INFO', 'server'), 'run_id:(%x+)') then
  return FENCED
end
local places, new, lobby = cmsgpack.unpack(ARGV[3]), {}, {}
for i = 1, #places do
  local field, place = string.sub(ARGV[2], 8 * i - 7, 8 * i), places[i]
  local lane, is_new = math.floor(place / 2) % 8, redis.call('HSETNX', KEYS[i + 2], field, place) == 1
  if not is_new then
    local known = tonumber(redis.call('HGET', KEYS[i + 2], field))
    if math.floor(known / 16) % 2 == 1 then
      redis.call('HSET', KEYS[i + 2], field, place + known % 2)
      is_new = true
    end
  end
  if is_new then
    new[lane] = (new[lane] or 0) + 1
  end
  lobby[lane] = math.max(lobby[lane] or 0, math.floor(place / 32) + 1)
end
local drawn = redis.call('HGET', KEYS[2], 'drawn') == '1'
for lane, count in pairs(lobby) do
  if new[lane] then
    redis.call('HINCRBY', KEYS[2], 'enrolled:' .. lane, new[lane])
  end
  if not drawn and count > tonumber(redis.call('HGET', KEYS[2], 'lobby:' .. lane) or 0) then
    redis.call('HSET', KEYS[2], 'lobby:' .. lane, count)
  end
end
for i = 4, #ARGV, 2 do
  if tonumber(ARGV[i + 1]) > tonumber(redis.call('HGET', KEYS[2], 'enrolled:' .. ARGV[i]) or 0) then
    redis.call('HSET', KEYS[2], 'enrolled:' .. ARGV[i], ARGV[i + 1])
  end
end
return ENROLLED
