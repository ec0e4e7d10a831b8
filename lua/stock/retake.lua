#!lua
-- retake: money arrived for a released order; take the same units again, straight to sold, if they are free.
-- KEYS   1 control  2 stock  3 buyers  4 claims  5 deadlines  6 claimants
-- ARGV   1 epoch  2 packed claim, as in reserve
-- CODES  FENCED, REPEATED, UNKNOWN_SKU, BUYER_LIMIT, LANE_QUOTA, TOO_FEW_LEFT, TAKEN
-- REPLY  one code
-- COST   O(items)
-- WHY    The window does not matter any more, because the buyer has paid; the stock, the buyer's limit and
--        the lane's quota do.

local FENCED, REPEATED, UNKNOWN_SKU, BUYER_LIMIT, LANE_QUOTA, TOO_FEW_LEFT, TAKEN = 0, 1, 2, 3, 4, 5, 6

local control = redis.call('HMGET', KEYS[1], 'epoch', 'run', 'buyer_max')
if control[1] ~= ARGV[1] or control[2] ~= string.match(redis.call('INFO', 'server'), 'run_id:(%x+)') then
  return FENCED
end
local claim = cmsgpack.unpack(ARGV[2])
local buyer, order_no, items, lane = claim[3], claim[4], claim[5], claim[6] or 0
if redis.call('HEXISTS', KEYS[4], order_no) == 1 then
  return REPEATED
end
local total, enough = 0, true
for j = 1, #items, 2 do
  local free = redis.call('HGET', KEYS[2], 'free:' .. items[j])
  if not free then
    return UNKNOWN_SKU
  end
  enough = enough and tonumber(free) >= items[j + 1]
  total = total + items[j + 1]
end
if tonumber(redis.call('HGET', KEYS[3], buyer) or 0) + total > tonumber(control[3]) then
  return BUYER_LIMIT
end
local lane_units = redis.call('HMGET', KEYS[2], 'used:' .. lane, 'quota:' .. lane)
if lane_units[2] and tonumber(lane_units[1] or 0) + total > tonumber(lane_units[2]) then
  return LANE_QUOTA
end
if not enough then
  return TOO_FEW_LEFT
end
redis.call('LLEN', KEYS[6]) -- a key of another kind stops us here, not between two writes
for j = 1, #items, 2 do
  redis.call('HINCRBY', KEYS[2], 'free:' .. items[j], -items[j + 1])
  redis.call('HINCRBY', KEYS[2], 'sold:' .. items[j], items[j + 1])
end
redis.call('HINCRBY', KEYS[2], 'used:' .. lane, total)
redis.call('HINCRBY', KEYS[3], buyer, total)
redis.call('HSET', KEYS[4], order_no, ARGV[2])
redis.call('RPUSH', KEYS[6], buyer)
return TAKEN
