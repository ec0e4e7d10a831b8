#!lua
-- open: the sale is loaded; count what is free and let it sell in this run of the server.
-- KEYS   1 control  2 stock
-- ARGV   1 epoch  2 opens_ms  3 closes_ms  4 hold_ms  5 buyer_max  6 paused  7 round
--        8 the lanes' quotas in units, '-' for none, by ordinal, commas between  9.. sku, capacity, sku, capacity, ...
-- CODES  STALE_EPOCH, OPENED
-- REPLY  one code
-- COST   O(SKUs + lanes)
-- WHY    Last step of a rebuild. The run id ties the sale to this process: a restart or a promoted replica has
--        another one, every script then refuses, and the sale is rebuilt before a single unit is sold from memory
--        that may have lost its last seconds.

local STALE_EPOCH, OPENED = 0, 1

local control = redis.call('HMGET', KEYS[1], 'epoch', 'run', 'cleared_in')
local run = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
if control[1] ~= ARGV[1] or control[2] or control[3] ~= run then
  return STALE_EPOCH
end
for i = 9, #ARGV, 2 do
  local sku, capacity = ARGV[i], tonumber(ARGV[i + 1])
  local held = redis.call('HINCRBY', KEYS[2], 'held:' .. sku, 0)
  local sold = redis.call('HINCRBY', KEYS[2], 'sold:' .. sku, 0)
  redis.call('HSET', KEYS[2], 'capacity:' .. sku, capacity, 'free:' .. sku, capacity - held - sold)
end
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
redis.call('HSET', KEYS[1], 'opens_ms', ARGV[2], 'closes_ms', ARGV[3], 'hold_ms', ARGV[4], 'buyer_max', ARGV[5],
  'paused', ARGV[6], 'round', ARGV[7], 'run', run)
return OPENED
