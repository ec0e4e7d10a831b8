#!lua
-- claim: give passes to people whose turn it is, as far as there is room, nobody before somebody who is ahead.
-- KEYS   1 control  2 line  3 checkpoints  4 passes  5 admitted  6 claimers  7 seen  8 deadlines  9 buyers  10 turns
--          11.. roster buckets
-- ARGV   1 epoch  2 limit: how many people may be at the till  3 pass_ms: how long a pass serves
--        4 claimers_max  5 batch: msgpack array of
--          [buyer, nonce, bucket (1 for KEYS 11), field, place as the roster keeps it, position, rank]
-- CODES  FENCED, PAUSED, NOT_OPEN, ENDED, SOLD_OUT, REPEATED, PLACE_VOID, NOT_YOUR_TURN, NO_ROOM, ADMITTED
-- REPLY  {} when FENCED (the whole batch), else {now_ms, serving_ms, tick, one code byte per claim, passes, ranks}, where
--          passes is a flat array of index (from 0), nonce, end_ms of the serving clock, lane for every REPEATED and
--          ADMITTED, and ranks one of index, how many claimers are before it for every NO_ROOM
-- COST   O(claims): 1 roster read and at most 1 roster write each, 2 calls more where people stand waiting for room,
--        and at most 22 calls per batch
-- WHY    A buyer has one pass at a time, so asking again gives the same one. Room is what the limit leaves beside the
--        passes that are out and the orders that are open. Who finds none is remembered by rank, and room is given from
--        the front of those who are remembered: asking often does not help. A place that the roster does not know is
--        genuine all the same, for it was signed, and is written there again; where the roster knows a better one of
--        this buyer, the one shown is void. Coming forward for the first time is counted once.
--        A pass came to nothing if its buyer has no more units than before it, but not if it ran out while others held all
--        that was left. Such a buyer stands behind everybody who had fewer of them, and from the second on also gives way
--        to those who are not called yet: for the time of a pass, and twice as long each time. Else a few people in front
--        could keep the till to themselves for good.

local PAUSED, NOT_OPEN, ENDED, SOLD_OUT, REPEATED, PLACE_VOID = 1, 2, 3, 4, 5, 6
local NOT_YOUR_TURN, NO_ROOM, ADMITTED = 7, 8, 9
local behind, in_vain_max = 2 ^ 40, 20 -- added to the rank for each pass in vain; beyond any rank

local control = redis.call('HMGET', KEYS[1], 'epoch', 'run', 'opens_ms', 'closes_ms', 'paused')
if control[1] ~= ARGV[1] or control[2] ~= string.match(redis.call('INFO', 'server'), 'run_id:(%x+)') then
  return {}
end
local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
local limit, pass_ms, claimers_max = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local claims = cmsgpack.unpack(ARGV[5])
local line = redis.call('HMGET', KEYS[2], 'serving_ms', 'final', 'tick', 'head:0', 'head:1', 'head:2', 'head:3',
  'head:4', 'head:5', 'head:6', 'head:7', 'dry_ms')
local serving_ms, tick = tonumber(line[1] or 0), tonumber(line[3] or 0)
local window = nil
if control[5] == '1' then
  window = PAUSED
elseif now_ms < tonumber(control[3]) then
  window = NOT_OPEN
elseif now_ms >= tonumber(control[4]) then
  window = ENDED
elseif line[2] == '1' then
  window = SOLD_OUT
end
if window then
  return { now_ms, serving_ms, tick, string.rep(string.char(window), #claims), {}, {} }
end

-- Read everything first.
local buyers = {}
for i = 1, #claims do
  buyers[i] = claims[i][1]
end
local passes = redis.call('HMGET', KEYS[4], unpack(buyers))
local units, turns = redis.call('HMGET', KEYS[9], unpack(buyers)), redis.call('HMGET', KEYS[10], unpack(buyers))
local uses = {}
for i = 1, #claims do
  uses[i] = buyers[i] .. '+'
end
local used = redis.call('HMGET', KEYS[10], unpack(uses))
local out, waiting = redis.call('ZCARD', KEYS[5]), redis.call('ZCARD', KEYS[6])
local room = limit - out - redis.call('ZCARD', KEYS[8])
redis.call('LLEN', KEYS[3]) -- a key of another kind stops us here, not between two writes
redis.call('HLEN', KEYS[7])
local windows = nil -- how far the heads had come: oldest first, each [serving_ms, heads, how many have shown up]
local roster, pass_of = {}, {}
for i = 1, #claims do
  local claim = claims[i]
  local kept = redis.call('HGET', KEYS[10 + claim[3]], claim[4])
  roster[claim[1]] = tonumber(kept or -1)
  pass_of[claim[1]] = passes[i] or nil
end

local function lane_of(value)
  return math.floor(value / 2) % 8
end
-- Of two places of one buyer the lesser one stays: the lobby before the live cohort, then the smaller index.
local function order_of(value)
  return math.floor(value / 16) % 2 * 2 ^ 46 + math.floor(value / 32)
end

-- Whether anybody waits who is not called yet, in any lane.
local waits = nil
local function others_wait()
  if waits == nil then
    local ends = redis.call('HMGET', KEYS[2], 'lobby:0', 'lobby:1', 'lobby:2', 'lobby:3', 'lobby:4', 'lobby:5', 'lobby:6',
      'lobby:7', 'tail:0', 'tail:1', 'tail:2', 'tail:3', 'tail:4', 'tail:5', 'tail:6', 'tail:7')
    waits = false
    for lane = 1, 8 do
      waits = waits or tonumber(ends[lane] or 0) + tonumber(ends[lane + 8] or 0) > tonumber(line[3 + lane] or 0)
    end
  end
  return waits
end
-- How many passes came to nothing, and whether the buyer has to give way now. An order that is kept makes none of the
-- earlier ones good: it may still lapse.
local function past_of(i)
  if not turns[i] then
    return 0, false
  end
  local end_ms, had, before = string.match(turns[i], '(%d+) (%d+) (%d+)')
  local kept, excused = tonumber(units[i] or 0) > tonumber(had), tonumber(line[12] or -1) >= end_ms - pass_ms
  if kept or (excused and not used[i]) then
    return tonumber(before), false
  end
  local in_vain = math.min(before + 1, in_vain_max)
  return in_vain, in_vain > 1 and serving_ms < end_ms + pass_ms * (2 ^ (in_vain - 1) - 1) and others_wait()
end

local codes, given, wanting, new_seen, shown, shown_in, lapsed = {}, {}, {}, {}, {}, {}, {}
local in_vain, ranks = {}, {}
for i = 1, #claims do
  local claim = claims[i]
  local buyer, place, position = claim[1], claim[5], claim[6]
  local kept, lane = roster[buyer], lane_of(place)
  local pass, code = pass_of[buyer], nil
  if pass and tonumber(string.sub(pass, 9, -2)) > serving_ms then
    code = REPEATED
  elseif kept >= 0 and kept - kept % 2 ~= place and order_of(kept) <= order_of(place) then
    code = PLACE_VOID
  elseif position >= tonumber(line[4 + lane] or 0) then
    code = NOT_YOUR_TURN
  else
    if kept < 0 or kept % 2 == 0 then
      windows = windows or redis.call('LRANGE', KEYS[3], 0, -1)
      for w = #windows, 1, -1 do
        if type(windows[w]) == 'string' then
          windows[w] = cmsgpack.unpack(windows[w])
        end
        if (windows[w][2][lane + 1] or 0) <= position then
          windows[w][3] = windows[w][3] + 1
          shown_in[w] = true
          break
        end
      end
      shown[lane] = (shown[lane] or 0) + 1
    end
    if kept ~= place + 1 then
      redis.call('HSET', KEYS[10 + claim[3]], claim[4], string.format('%.0f', place + 1))
      roster[buyer] = place + 1
    end
    if pass then -- it has run out, and no tick has taken it away yet
      lapsed[string.sub(pass, -1)] = (lapsed[string.sub(pass, -1)] or 0) + 1
      pass_of[buyer] = nil
      redis.call('HDEL', KEYS[4], buyer)
      room = room + redis.call('ZREM', KEYS[5], buyer)
    end
    local gives_way
    in_vain[i], gives_way = past_of(i)
    code = NO_ROOM
    if gives_way then
      ranks[#ranks + 1] = i - 1
      ranks[#ranks + 1] = claimers_max
    else
      wanting[#wanting + 1] = i
    end
  end
  codes[i] = code
end

-- Who is in the front of those who want in, present or remembered, as deep as the room goes.
local admitted, left = {}, {}
if waiting > 0 or #wanting > room then
  for w = 1, #wanting do
    redis.call('ZADD', KEYS[6], claims[wanting[w]][7] + behind * in_vain[wanting[w]], claims[wanting[w]][1])
  end
  for w = 1, #wanting do
    local i = wanting[w]
    local rank = redis.call('ZRANK', KEYS[6], claims[i][1])
    if rank < room then
      admitted[#admitted + 1] = i
      left[#left + 1] = claims[i][1]
    else
      ranks[#ranks + 1] = i - 1
      ranks[#ranks + 1] = rank
      new_seen[#new_seen + 1] = claims[i][1]
      new_seen[#new_seen + 1] = serving_ms
    end
  end
else
  admitted = wanting
end
if #left > 0 then
  redis.call('ZREM', KEYS[6], unpack(left))
  redis.call('HDEL', KEYS[7], unpack(left))
end
if #new_seen > 0 then
  redis.call('HSET', KEYS[7], unpack(new_seen))
  local beyond = redis.call('ZRANGE', KEYS[6], claimers_max, -1)
  if #beyond > 0 then -- the last ones are remembered by their place alone
    redis.call('ZREM', KEYS[6], unpack(beyond))
    redis.call('HDEL', KEYS[7], unpack(beyond))
  end
end

local new_passes, new_admitted, new_turns, unused = {}, {}, {}, {}
for a = 1, #admitted do
  local claim = claims[admitted[a]]
  local buyer = claim[1]
  if not pass_of[buyer] then
    local end_ms = string.format('%.0f', serving_ms + pass_ms)
    pass_of[buyer] = claim[2] .. end_ms .. lane_of(claim[5])
    new_passes[#new_passes + 1] = buyer
    new_passes[#new_passes + 1] = pass_of[buyer]
    new_admitted[#new_admitted + 1] = end_ms
    new_admitted[#new_admitted + 1] = buyer
    unused[#unused + 1] = uses[admitted[a]]
    new_turns[#new_turns + 1] = buyer
    new_turns[#new_turns + 1] = end_ms .. ' ' .. (units[admitted[a]] or '0') .. ' ' .. in_vain[admitted[a]]
  end
  codes[admitted[a]] = ADMITTED
end
if #new_passes > 0 then
  redis.call('HSET', KEYS[4], unpack(new_passes))
  redis.call('ZADD', KEYS[5], unpack(new_admitted))
  redis.call('HSET', KEYS[10], unpack(new_turns))
  redis.call('HDEL', KEYS[10], unpack(unused))
end
for w in pairs(shown_in) do
  redis.call('LSET', KEYS[3], w - 1, cmsgpack.pack(windows[w]))
end
for lane, count in pairs(shown) do
  redis.call('HINCRBY', KEYS[2], 'shown:' .. lane, count)
end
for lane, count in pairs(lapsed) do
  redis.call('HINCRBY', KEYS[2], 'lapsed:' .. lane, count)
end

for i = 1, #claims do
  if codes[i] == REPEATED or codes[i] == ADMITTED then
    local pass = pass_of[claims[i][1]]
    given[#given + 1] = i - 1
    given[#given + 1] = string.sub(pass, 1, 8)
    given[#given + 1] = tonumber(string.sub(pass, 9, -2))
    given[#given + 1] = tonumber(string.sub(pass, -1))
  end
  codes[i] = string.char(codes[i])
end
return { now_ms, serving_ms, tick, table.concat(codes), given, ranks }
