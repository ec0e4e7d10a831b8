#!lua
-- reserve: decide a batch of orders, in the order they came.
-- KEYS   1 control  2 stock  3 buyers  4 requests  5 claims  6 deadlines  7 claimants  8 line  9 passes  10 admitted
--          11 turns
-- ARGV   1 epoch  2 batch: msgpack array of packed claims, each an array of
--          [request_id, body_digest, buyer, order_no, [sku, quantity, sku, quantity, ...], lane]
--        3 nonces: the 8 bytes of each claim's pass, one behind the other
-- CODES  FENCED, KEY_REUSED, REPEATED, PAUSED, NOT_OPEN, ENDED, PASS_SPENT, UNKNOWN_SKU, BUYER_LIMIT, LANE_QUOTA, SOLD_OUT,
--        HELD_BY_OTHERS, TOO_FEW_LEFT, HELD
-- REPLY  {} when FENCED (the whole batch), else {deadline_ms, one code byte per claim, repeats}, where repeats is a
--          flat array of index (from 0), order_no, deadline_ms (0 when no longer held) for every REPEATED
-- COST   O(claims): at most 10 reads and 9 writes per batch and one write per lane, whatever its size
-- WHY    One script is the arbiter of who gets a unit at this instant. A retry is recognised before the window is
--        looked at, so that closing a sale never hides an order from its buyer. A pass is taken by the order that gets
--        units, in the same step, so it can never be used twice, and who is refused keeps it. All checks come before
--        all writes.

local KEY_REUSED, REPEATED, PAUSED, NOT_OPEN, ENDED, PASS_SPENT, UNKNOWN_SKU = 1, 2, 3, 4, 5, 6, 7
local BUYER_LIMIT, LANE_QUOTA, SOLD_OUT, HELD_BY_OTHERS, TOO_FEW_LEFT, HELD = 8, 9, 10, 11, 12, 13

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
local line = redis.call('HMGET', KEYS[8], 'serving_ms', 'final')
local serving_ms, final = tonumber(line[1] or 0), line[2] == '1'
local packed, nonces = cmsgpack.unpack(ARGV[2]), ARGV[3]
local claims, request_ids, buyer_ids, stock_fields, slot_of, lane_slots = {}, {}, {}, {}, {}, {}
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
  local lane = claim[6]
  if not lane_slots[lane] then
    lane_slots[lane] = #stock_fields + 1
    stock_fields[#stock_fields + 1] = 'used:' .. lane
    stock_fields[#stock_fields + 1] = 'quota:' .. lane
  end
end
local known = redis.call('HMGET', KEYS[4], unpack(request_ids))
local counts = redis.call('HMGET', KEYS[3], unpack(buyer_ids))
local stock = redis.call('HMGET', KEYS[2], unpack(stock_fields))
local passes = redis.call('HMGET', KEYS[9], unpack(buyer_ids))
local pass_of, placed, taken, new_requests, new_claims, new_deadlines, new_claimants = {}, {}, {}, {}, {}, {}, {}
for i = 1, #claims do
  placed[request_ids[i]] = known[i] or nil
  taken[buyer_ids[i]] = tonumber(counts[i] or 0)
  pass_of[buyer_ids[i]] = passes[i]
end
for slot = 1, #stock do
  stock[slot] = stock[slot] and tonumber(stock[slot])
end

local function decide(claim, nonce)
  if window then
    return window
  end
  local pass = pass_of[claim[3]] -- the nonce, when it ends, and one digit of its lane
  if not pass or string.sub(pass, 1, 8) ~= nonce or tonumber(string.sub(pass, 9, -2)) <= serving_ms then
    return PASS_SPENT
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
  local lane_slot = lane_slots[claim[6]]
  local used, quota = stock[lane_slot] or 0, stock[lane_slot + 1]
  if quota and used + total > quota then
    return LANE_QUOTA
  end
  if final then
    return SOLD_OUT -- what came back since then is sold when it is put up again
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
  stock[lane_slot] = used + total
  pass_of[claim[3]] = false
  return HELD
end

local codes, repeats, taken_in = {}, {}, {}
for i = 1, #claims do
  local claim = claims[i]
  local first = placed[claim[1]]
  local code
  if not first then
    code = decide(claim, string.sub(nonces, i * 8 - 7, i * 8))
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
      taken_in[claim[6]] = (taken_in[claim[6]] or 0) + 1
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
  redis.call('ZCARD', KEYS[10])
  redis.call('HLEN', KEYS[11])
  local new_stock, new_counts, new_uses = {}, {}, {}
  for slot = 1, #stock do
    if stock[slot] then
      new_stock[#new_stock + 1] = stock_fields[slot]
      new_stock[#new_stock + 1] = stock[slot]
    end
  end
  for i = 1, #new_claimants do -- each of them once: a pass is good for one order
    new_counts[#new_counts + 1] = new_claimants[i]
    new_counts[#new_counts + 1] = taken[new_claimants[i]]
    new_uses[#new_uses + 1] = new_claimants[i] .. '+'
    new_uses[#new_uses + 1] = 1
  end
  redis.call('HSET', KEYS[2], unpack(new_stock))
  redis.call('HSET', KEYS[3], unpack(new_counts))
  redis.call('HSET', KEYS[4], unpack(new_requests))
  redis.call('HSET', KEYS[5], unpack(new_claims))
  redis.call('ZADD', KEYS[6], unpack(new_deadlines))
  redis.call('RPUSH', KEYS[7], unpack(new_claimants))
  redis.call('HDEL', KEYS[9], unpack(new_claimants))
  redis.call('ZREM', KEYS[10], unpack(new_claimants))
  redis.call('HSET', KEYS[11], unpack(new_uses))
  for lane, count in pairs(taken_in) do
    redis.call('HINCRBY', KEYS[8], 'taken:' .. lane, count)
  end
end
for r = 2, #repeats, 3 do
  repeats[r + 1] = redis.call('ZSCORE', KEYS[6], repeats[r]) or 0
end
return { deadline_ms, table.concat(codes), repeats }
