#!lua flags=allow-oom
-- release: give the units of claims back to sale, each claim at most once.
-- KEYS   1 control  2 stock  3 buyers  4 requests  5 claims  6 deadlines
-- ARGV   1 epoch  2 from: 'held' (a hold lapsed) or 'sold' (a paid order was refunded)
--        3 forget: '1' drops the request id too (nobody was ever told of the order)  4.. order numbers
-- CODES  FENCED, MISSING, WRONG_STATE, RELEASED
-- REPLY  one code per order number; {FENCED} alone when fenced
-- COST   O(order numbers): 3 reads and at most 7 writes each
-- WHY    The claim itself is the right to release: whoever removes it returns the units, everybody later finds it
--        missing. So expiry, cancelling and closing can race and the stock is never inflated.

local FENCED, MISSING, WRONG_STATE, RELEASED = 0, 1, 2, 3

local control = redis.call('HMGET', KEYS[1], 'epoch', 'run')
if control[1] ~= ARGV[1] or control[2] ~= string.match(redis.call('INFO', 'server'), 'run_id:(%x+)') then
  return { FENCED }
end

for i = 2, 4 do
  redis.call('HLEN', KEYS[i]) -- a key of another kind stops us here, not between two writes
end
local codes = {}
for i = 4, #ARGV do
  local order_no = ARGV[i]
  local packed = redis.call('HGET', KEYS[5], order_no)
  local held = redis.call('ZSCORE', KEYS[6], order_no)
  if not packed then
    codes[#codes + 1] = MISSING
  elseif (held and 'held' or 'sold') ~= ARGV[2] then
    codes[#codes + 1] = WRONG_STATE
  else
    local claim = cmsgpack.unpack(packed)
    local items, total = claim[5], 0
    for j = 1, #items, 2 do
      redis.call('HINCRBY', KEYS[2], 'free:' .. items[j], items[j + 1])
      redis.call('HINCRBY', KEYS[2], ARGV[2] .. ':' .. items[j], -items[j + 1])
      total = total + items[j + 1]
    end
    redis.call('HINCRBY', KEYS[2], 'used:' .. (claim[6] or 0), -total)
    if redis.call('HINCRBY', KEYS[3], claim[3], -total) <= 0 then
      redis.call('HDEL', KEYS[3], claim[3])
    end
    redis.call('HDEL', KEYS[5], order_no)
    redis.call('ZREM', KEYS[6], order_no)
    if ARGV[3] == '1' then
      redis.call('HDEL', KEYS[4], claim[1])
    end
    codes[#codes + 1] = RELEASED
  end
end
return codes
