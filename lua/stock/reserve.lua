#!lua
-- reserve: decide a batch of orders, in the order they came.
-- KEYS   1 control  2 stock  3 buyers  4 requests  5 claims  6 deadlines  7 claimants
-- ARGV   1 epoch  2 batch: msgpack array of packed claims, each an array of
--          [request_id, body_digest, buyer, order_no, [sku, quantity, sku, quantity, ...]]
-- CODES  FENCED, KEY_REUSED, REPEATED, PAUSED, NOT_OPEN, ENDED, UNKNOWN_SKU, BUYER_LIMIT, SOLD_OUT, HELD_BY_OTHERS, TOO_FEW_LEFT, HELD
-- REPLY  {} when FENCED (the whole batch), else {deadline_ms, one code byte per claim, repeats}, where repeats is a
--          flat array of index (from 0), order_no, deadline_ms (0 when no longer held) for every REPEATED
-- COST   O(claims): at most 7 reads and 6 writes per batch, whatever its size
-- WHY    One script is the arbiter of who gets a unit at this instant. A retry is recognised before the window is
--        looked at, so that closing a sale never hides an order from its buyer. All checks come before all writes.

local KEY_REUSED, REPEATED, PAUSED, NOT_OPEN, ENDED, UNKNOWN_SKU = 1, 2, 3, 4, 5, 6
local BUYER_LIMIT, SOLD_OUT, HELD_BY_OTHERS, TOO_FEW_LEFT, HELD = 7, 8, 9, 10, 11

local control = redis.call('HMGET', KEYS[1], 'epoch', 'run', 'opens_ms', 'closes_ms', 'hold_ms', 'buyer_max', 'paused')
if control[1] ~= ARGV[1] or control[2] ~= string.match(redis.call('INFO', 'server'), 'run_id:(%x+)') then
  return {}
end
local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
local deadline_ms = now_ms + control[5]
local buyer_max = tonumber(control[6])
local window = nil
if control[7] == '1' then
  window = PAUSED
elseif now_ms < tonumber(control[3]) then
  window = NOT_OPEN
elseif now_ms >= tonumber(control[4]) then
  window = ENDED
end

-- Read everything the batch may touch, once.
local packed = cmsgpack.unpack(ARGV[2])
local claims, request_ids, buyer_ids, stock_fields, slot_of = {}, {}, {}, {}, {}
for i = 1, #packed do
  local claim = cmsgpack.unpack(packed[i])
  claims[i], request_ids[i], buyer_ids[i] = claim, claim[1], claim[3]
  local items = claim[5]
  for j = 1, #items, 2 do
    local sku = items[j]
    if not slot_of[sku] then
      slot_of[sku] = #stock_fields + 1
      stock_fields[#stock_fields + 1] = 'free:' .. sku
      stock_fields[#stock_fields + 1] = 'held:' .. sku
    end
  end
end
local known = redis.call('HMGET', KEYS[4], unpack(request_ids))
local counts = redis.call('HMGET', KEYS[3], unpack(buyer_ids))
local stock = redis.call('HMGET', KEYS[2], unpack(stock_fields))
local placed, taken, new_requests, new_claims, new_deadlines, new_claimants = {}, {}, {}, {}, {}, {}
for i = 1, #claims do
  placed[request_ids[i]] = known[i] or nil
  taken[buyer_ids[i]] = tonumber(counts[i] or 0)
end
for slot = 1, #stock do
  stock[slot] = stock[slot] and tonumber(stock[slot])
end

local function decide(claim)
  if window then
    return window
  end
  local items, total = claim[5], 0
  for j = 1, #items, 2 do
    if not stock[slot_of[items[j]]] then
      return UNKNOWN_SKU
    end
    total = total + items[j + 1]
  end
  if taken[claim[3]] + total > buyer_max then
    return BUYER_LIMIT
  end
  for j = 1, #items, 2 do
    local slot = slot_of[items[j]]
    local free = stock[slot]
    if free < items[j + 1] then
      if free > 0 then
        return TOO_FEW_LEFT
      end
      return stock[slot + 1] > 0 and HELD_BY_OTHERS or SOLD_OUT
    end
  end
  for j = 1, #items, 2 do
    local slot = slot_of[items[j]]
    stock[slot] = stock[slot] - items[j + 1]
    stock[slot + 1] = stock[slot + 1] + items[j + 1]
  end
  taken[claim[3]] = taken[claim[3]] + total
  return HELD
end

local codes, repeats = {}, {}
for i = 1, #claims do
  local claim = claims[i]
  local first = placed[claim[1]]
  local code
  if not first then
    code = decide(claim)
    if code == HELD then
      local order_no = claim[4]
      placed[claim[1]] = claim[2] .. order_no
      new_requests[#new_requests + 1] = claim[1]
      new_requests[#new_requests + 1] = claim[2] .. order_no
      new_claims[#new_claims + 1] = order_no
      new_claims[#new_claims + 1] = packed[i]
      new_deadlines[#new_deadlines + 1] = deadline_ms
      new_deadlines[#new_deadlines + 1] = order_no
      new_claimants[#new_claimants + 1] = claim[3]
    end
  elseif string.sub(first, 1, 8) ~= claim[2] then
    code = KEY_REUSED
  else
    code = REPEATED
    repeats[#repeats + 1] = i - 1
    repeats[#repeats + 1] = string.sub(first, 9)
    repeats[#repeats + 1] = 0
  end
  codes[i] = string.char(code)
end

if #new_claimants > 0 then
  -- What was not read above is asked for its kind: an error between two writes would leave half an order.
  redis.call('HLEN', KEYS[5])
  redis.call('ZCARD', KEYS[6])
  redis.call('LLEN', KEYS[7])
  local new_stock, new_counts, seen = {}, {}, {}
  for slot = 1, #stock do
    if stock[slot] then
      new_stock[#new_stock + 1] = stock_fields[slot]
      new_stock[#new_stock + 1] = stock[slot]
    end
  end
  for i = 1, #new_claimants do
    local buyer = new_claimants[i]
    if not seen[buyer] then
      seen[buyer] = true
      new_counts[#new_counts + 1] = buyer
      new_counts[#new_counts + 1] = taken[buyer]
    end
  end
  redis.call('HSET', KEYS[2], unpack(new_stock))
  redis.call('HSET', KEYS[3], unpack(new_counts))
  redis.call('HSET', KEYS[4], unpack(new_requests))
  redis.call('HSET', KEYS[5], unpack(new_claims))
  redis.call('ZADD', KEYS[6], unpack(new_deadlines))
  redis.call('RPUSH', KEYS[7], unpack(new_claimants))
end
for r = 2, #repeats, 3 do
  repeats[r + 1] = redis.call('ZSCORE', KEYS[6], repeats[r]) or 0
end
return { deadline_ms, table.concat(codes), repeats }
