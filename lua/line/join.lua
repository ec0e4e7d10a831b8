#!lua
-- join: give every buyer one place in the live cohort, first come first served.
-- KEYS   1 control  2 line  3.. the bucket of each buyer
-- ARGV   1 epoch  2 number of lanes  3 the buyers' fields, 8 bytes each  4 the lanes they ask for, 1 byte each
--        5 what they show: a msgpack array of buyer's number from 1, packed place, number, packed place, ...
-- CODES  FENCED, JOINED
-- REPLY  {FENCED} or {JOINED, one packed place per buyer, the tail of each lane}; in the place of a place
--        -1: the lane's ceiling must be raised first, -2: the roster lacks some of the lobby and must be completed,
--        -3: the draw is not made yet
-- COST   at most 1 read and 1 write per buyer
-- WHY    A known buyer gets the same place again, on any phone and whatever lane is asked for. A place that was signed
--        before Redis forgot it is honoured; of two the better stays. Indexes are given out only below the ceiling,
--        which PostgreSQL has written down, so none is ever given twice.

local FENCED, JOINED = 0, 1
local NEED_BLOCK, NEED_LOBBY, NOT_DRAWN = -1, -2, -3

local control = redis.call('HMGET', KEYS[1], 'epoch', 'run')
if control[1] ~= ARGV[1] or control[2] ~= string.match(redis.call('INFO', 'server'), 'run_id:(%x+)') then
  return { FENCED }
end
local drawn = redis.call('HGET', KEYS[2], 'drawn') == '1'
local tails, ceilings, lobbies, moved, complete = {}, {}, {}, {}, true
for lane = 0, ARGV[2] - 1 do
  local line = redis.call('HMGET', KEYS[2], 'tail:' .. lane, 'ceiling:' .. lane, 'lobby:' .. lane, 'enrolled:' .. lane)
  tails[lane + 1], ceilings[lane + 1] = tonumber(line[1] or 0), tonumber(line[2] or 0)
  lobbies[lane + 1] = tonumber(line[3] or 0)
  complete = complete and lobbies[lane + 1] <= tonumber(line[4] or 0)
end
local shown, pairs_shown = {}, cmsgpack.unpack(ARGV[5])
for i = 1, #pairs_shown, 2 do
  shown[pairs_shown[i]] = pairs_shown[i + 1]
end
local fields, lanes, places = ARGV[3], ARGV[4], {}
for i = 1, #KEYS - 2 do
  local field = string.sub(fields, 8 * i - 7, 8 * i)
  local known = redis.call('HGET', KEYS[i + 2], field)
  local place = known and tonumber(known)
  if shown[i] then
    local lane, live, index = math.floor(shown[i] / 2) % 8 + 1, math.floor(shown[i] / 16) % 2 == 1, math.floor(shown[i] / 32)
    if index < ((live and tails or lobbies)[lane] or 0) then
      local cohort = live and 1 or 0
      local known_cohort = place and math.floor(place / 16) % 2
      if not place or cohort < known_cohort or (cohort == known_cohort and index < math.floor(place / 32)) then
        place = shown[i] + (place and place % 2 or 0)
        redis.call('HSET', KEYS[i + 2], field, place)
      end
    end
  end
  if not place then
    local lane = string.byte(lanes, i) + 1
    if not drawn then
      place = NOT_DRAWN
    elseif not complete then
      place = NEED_LOBBY
    elseif tails[lane] >= ceilings[lane] then
      place = NEED_BLOCK
    else
      place = 32 * tails[lane] + 16 + 2 * (lane - 1)
      redis.call('HSET', KEYS[i + 2], field, place)
      tails[lane], moved[lane] = tails[lane] + 1, true
    end
  end
  places[i] = place
end
for lane in pairs(moved) do
  redis.call('HSET', KEYS[2], 'tail:' .. (lane - 1), tails[lane])
end
return { JOINED, places, tails }
