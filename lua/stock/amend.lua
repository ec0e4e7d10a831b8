#!lua flags=allow-oom
-- amend: bring the terms of a running sale (window, limits, pause, round, capacities) in line with the catalog.
-- KEYS   1 control  2 stock  3 line
-- ARGV   1 epoch  2 opens_ms  3 closes_ms  4 hold_ms  5 buyer_max  6 paused  7 round
--        8 the lanes' quotas in units, '-' for none, by ordinal, commas between  9.. sku, capacity, sku, capacity, ...
-- CODES  FENCED, AMENDED
-- REPLY  one code
-- COST   O(SKUs + lanes)
-- WHY    The values are absolute, so repeating is harmless. Lowering a capacity takes free units away; where units
--        are held beyond it, free falls below zero, sells nothing, and recovers as those holds end. The sum
--        free + held + sold = capacity holds at every instant. Sold out for good ends only here: with a new round, or
--        with more units than there were. A round is new once: a process that heard of it late cannot begin it again.

local FENCED, AMENDED = 0, 1

local control = redis.call('HMGET', KEYS[1], 'epoch', 'run', 'round')
if control[1] ~= ARGV[1] or control[2] ~= string.match(redis.call('INFO', 'server'), 'run_id:(%x+)') then
  return FENCED
end
local round = math.max(tonumber(ARGV[7]), tonumber(control[3] or 0))
redis.call('HSET', KEYS[1], 'opens_ms', ARGV[2], 'closes_ms', ARGV[3], 'hold_ms', ARGV[4], 'buyer_max', ARGV[5],
  'paused', ARGV[6], 'round', string.format('%.0f', round))
local lane = 0
for quota in string.gmatch(ARGV[8], '[^,]+') do
  redis.call('HINCRBY', KEYS[2], 'used:' .. lane, 0)
  if quota == '-' then
    redis.call('HDEL', KEYS[2], 'quota:' .. lane)
  else
    redis.call('HSET', KEYS[2], 'quota:' .. lane, quota)
  end
  lane = lane + 1
end
local put_up = tonumber(ARGV[7]) > tonumber(control[3] or ARGV[7])
for i = 9, #ARGV, 2 do
  local sku, capacity = ARGV[i], tonumber(ARGV[i + 1])
  local before = tonumber(redis.call('HGET', KEYS[2], 'capacity:' .. sku) or 0)
  if before ~= capacity then
    redis.call('HSET', KEYS[2], 'capacity:' .. sku, capacity)
    put_up = put_up or capacity > before
  end
  redis.call('HINCRBY', KEYS[2], 'free:' .. sku, capacity - before)
  redis.call('HINCRBY', KEYS[2], 'held:' .. sku, 0)
  redis.call('HINCRBY', KEYS[2], 'sold:' .. sku, 0)
end
if put_up then
  redis.call('HDEL', KEYS[3], 'final')
end
return AMENDED
