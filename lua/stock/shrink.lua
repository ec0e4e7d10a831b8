#!lua flags=allow-oom
-- shrink: a paid order keeps only these items; the other units go back to sale.
-- KEYS   1 control  2 stock  3 buyers  4 claims  5 deadlines
-- ARGV   1 epoch  2.. order number, msgpack array [sku, quantity, ...] of what it keeps, ...
-- CODES  FENCED, MISSING, WRONG_STATE, REPEATED, SHRUNK
-- REPLY  one code per order number; {FENCED} alone when fenced
-- COST   O(order numbers): 2 reads and at most 5 writes each, and 2 writes for every SKU that shrinks
-- WHY    What an order keeps is absolute and quantities only go down, so telling it twice, late or out of order never
--        returns a unit twice. An order that keeps nothing loses its claim, and everybody later finds it missing.

local FENCED, MISSING, WRONG_STATE, REPEATED, SHRUNK = 0, 1, 2, 3, 4

local control = redis.call('HMGET', KEYS[1], 'epoch', 'run')
if control[1] ~= ARGV[1] or control[2] ~= string.match(redis.call('INFO', 'server'), 'run_id:(%x+)') then
  return { FENCED }
end

redis.call('HLEN', KEYS[2]) -- a key of another kind stops us here, not between two writes
redis.call('HLEN', KEYS[3])
local codes = {}
for i = 2, #ARGV, 2 do
  local order_no = ARGV[i]
  local packed = redis.call('HGET', KEYS[4], order_no)
  if not packed then
    codes[#codes + 1] = MISSING
  elseif redis.call('ZSCORE', KEYS[5], order_no) then
    codes[#codes + 1] = WRONG_STATE
  else
    local kept, keeps = cmsgpack.unpack(ARGV[i + 1]), {}
    for j = 1, #kept, 2 do
      keeps[kept[j]] = kept[j + 1]
    end
    local claim = cmsgpack.unpack(packed)
    local items, left, total = claim[5], {}, 0
    for j = 1, #items, 2 do
      local sku, quantity = items[j], math.min(items[j + 1], keeps[items[j]] or 0)
      local back = items[j + 1] - quantity
      if back > 0 then
        redis.call('HINCRBY', KEYS[2], 'free:' .. sku, back)
        redis.call('HINCRBY', KEYS[2], 'sold:' .. sku, -back)
        total = total + back
      end
      if quantity > 0 then
        left[#left + 1] = sku
        left[#left + 1] = quantity
      end
    end
    if total == 0 then
      codes[#codes + 1] = REPEATED
    else
      redis.call('HINCRBY', KEYS[2], 'used:' .. (claim[6] or 0), -total)
      if redis.call('HINCRBY', KEYS[3], claim[3], -total) <= 0 then
        redis.call('HDEL', KEYS[3], claim[3])
      end
      if #left == 0 then
        redis.call('HDEL', KEYS[4], order_no)
      else
        claim[5] = left
        redis.call('HSET', KEYS[4], order_no, cmsgpack.pack(claim))
      end
      codes[#codes + 1] = SHRUNK
    end
  end
end
return codes
