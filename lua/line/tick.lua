#!lua
-- tick: move the heads and the serving clock on, if nobody else has done so since the worker looked.
-- KEYS   1 control  2 line  3 stock  4 deadlines  5 checkpoints  6 passes  7 admitted  8 claimers  9 seen
-- ARGV   1 epoch  2 the tick that was seen  3 what the pacing remembers  4 '1': write a checkpoint before the heads move
--        5 how many old checkpoints to drop  6.. head, people called with it, head, people called with it, ... by lane
-- CODES  FENCED, OVERTAKEN, IDLE, TICKED
-- REPLY  {FENCED}, or {code, tick, ticked_ms, serving_ms, final}
-- COST   O(lanes + SKUs), and at most 1,000 passes and 320 claimers looked at, whatever the number waiting
-- WHY    A tick carries the number of the one it was computed from, so any number of workers are one ticker. The
--        serving clock moves here and nowhere else, by a second at most, and only while people can be served: pauses,
--        losses and dead workers run down nobody's pass. IDLE: the sale is not live, so time passes unserved.

local FENCED, OVERTAKEN, IDLE, TICKED = 0, 1, 2, 3
local step_ms_max, passes_max, claimers_first, claimers_any, claimer_absent_ms = 1000, 1000, 256, 64, 10000

local control = redis.call('HMGET', KEYS[1], 'epoch', 'run', 'opens_ms', 'closes_ms', 'paused')
if control[1] ~= ARGV[1] or control[2] ~= string.match(redis.call('INFO', 'server'), 'run_id:(%x+)') then
  return { FENCED }
end
local lanes = (#ARGV - 5) / 2
local fields = { 'tick', 'ticked_ms', 'serving_ms', 'final', 'drawn' }
for lane = 0, lanes - 1 do
  fields[#fields + 1] = 'head:' .. lane
  fields[#fields + 1] = 'lobby:' .. lane
  fields[#fields + 1] = 'tail:' .. lane
end
local line = redis.call('HMGET', KEYS[2], unpack(fields))
local tick, ticked_ms, serving_ms = tonumber(line[1] or 0), tonumber(line[2] or 0), tonumber(line[3] or 0)
local final = line[4] == '1'
if tick ~= tonumber(ARGV[2]) then
  return { OVERTAKEN, tick, ticked_ms, serving_ms, final and 1 or 0 }
end
local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
local live = control[5] ~= '1' and now_ms >= tonumber(control[3]) and now_ms < tonumber(control[4])
if final or line[5] ~= '1' or not live then
  redis.call('HSET', KEYS[2], 'tick', tick + 1, 'ticked_ms', now_ms)
  return { IDLE, tick + 1, now_ms, serving_ms, final and 1 or 0 }
end

-- The first tick of an epoch only begins to count.
if ticked_ms > 0 then
  serving_ms = serving_ms + math.max(0, math.min(now_ms - ticked_ms, step_ms_max))
end
local stock, shelves, units, open = redis.call('HGETALL', KEYS[3]), 0, 0, redis.call('ZCARD', KEYS[4])
local count_of, dry = { ['free:'] = {}, ['held:'] = {} }, false
for i = 1, #stock, 2 do
  local counts = count_of[string.sub(stock[i], 1, 5)]
  if counts then
    shelves = shelves + 1
    units = units + math.max(0, tonumber(stock[i + 1]))
    counts[string.sub(stock[i], 6)] = tonumber(stock[i + 1])
  end
end
for sku, held in pairs(count_of['held:']) do
  dry = dry or held > 0 and (count_of['free:'][sku] or 0) <= 0
end
final = shelves > 0 and units == 0 and open == 0

-- Keys of another kind stop us here, not between two writes.
redis.call('LLEN', KEYS[5])
local ended = redis.call('ZRANGEBYSCORE', KEYS[7], '-inf', serving_ms, 'LIMIT', 0, passes_max)
local passes = #ended > 0 and redis.call('HMGET', KEYS[6], unpack(ended)) or redis.call('HLEN', KEYS[6]) and {}
local waiting = redis.call('ZRANGE', KEYS[8], 0, claimers_first - 1)
if #waiting == claimers_first then
  for _, buyer in ipairs(redis.call('ZRANDMEMBER', KEYS[8], claimers_any)) do
    waiting[#waiting + 1] = buyer
  end
end
local seen = #waiting > 0 and redis.call('HMGET', KEYS[9], unpack(waiting)) or redis.call('HLEN', KEYS[9]) and {}

local heads, news = {}, { 'tick', tick + 1, 'ticked_ms', now_ms, 'serving_ms', serving_ms, 'pace', ARGV[3] }
for lane = 0, lanes - 1 do
  local before, lobby, tail = line[3 * lane + 6], line[3 * lane + 7], line[3 * lane + 8]
  before = tonumber(before or 0)
  heads[lane + 1] = before
  local head = math.max(before, math.min(tonumber(ARGV[2 * lane + 6]), tonumber(lobby or 0) + tonumber(tail or 0)))
  local called = math.min(tonumber(ARGV[2 * lane + 7]), head - before)
  if head > before then
    news[#news + 1] = 'head:' .. lane
    news[#news + 1] = head
  end
  if called > 0 then
    redis.call('HINCRBY', KEYS[2], 'called:' .. lane, called)
  end
end
if dry then
  news[#news + 1] = 'dry_ms'
  news[#news + 1] = serving_ms
end
if final then
  news[#news + 1] = 'final'
  news[#news + 1] = 1
end
redis.call('HSET', KEYS[2], unpack(news))
if tonumber(ARGV[5]) > 0 then
  redis.call('LTRIM', KEYS[5], ARGV[5], -1)
end
if ARGV[4] == '1' then
  redis.call('RPUSH', KEYS[5], cmsgpack.pack({ serving_ms, heads, 0 }))
end

if #ended > 0 then
  local lapsed = {}
  for i = 1, #ended do
    if passes[i] then
      local lane = string.sub(passes[i], -1)
      lapsed[lane] = (lapsed[lane] or 0) + 1
    end
  end
  redis.call('ZREM', KEYS[7], unpack(ended))
  redis.call('HDEL', KEYS[6], unpack(ended))
  for lane, count in pairs(lapsed) do
    redis.call('HINCRBY', KEYS[2], 'lapsed:' .. lane, count)
  end
end
local gone = {}
for i = 1, #waiting do
  if not seen[i] or tonumber(seen[i]) <= serving_ms - claimer_absent_ms then
    gone[#gone + 1] = waiting[i]
  end
end
if #gone > 0 then
  redis.call('ZREM', KEYS[8], unpack(gone))
  redis.call('HDEL', KEYS[9], unpack(gone))
end
return { TICKED, tick + 1, now_ms, serving_ms, final and 1 or 0 }
