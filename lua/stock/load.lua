#!lua
-- load: put what PostgreSQL knows of a sale's orders back into the fenced sale.
-- KEYS   1 control  2 stock  3 buyers  4 requests  5 claims  6 deadlines  7 claimants
-- ARGV   1 epoch  2.. packed claim, deadline_ms (0 when sold, -1 when it has no units any more), ...
-- CODES  STALE_EPOCH, LOADED
-- REPLY  one code
-- COST   O(claims)
-- WHY    Second step of a rebuild. Only a sale that was cleared under this very epoch, in this run of the server, and
--        is not open yet takes claims: a restart in between may have lost those that were loaded before it. Each is
--        counted as it is loaded, so the stock is the sum of its claims by construction.

local STALE_EPOCH, LOADED = 0, 1

local control = redis.call('HMGET', KEYS[1], 'epoch', 'run', 'cleared_in')
local run = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
if control[1] ~= ARGV[1] or control[2] or control[3] ~= run then
  return STALE_EPOCH
end
for i = 2, #ARGV, 2 do
  local claim, deadline_ms = cmsgpack.unpack(ARGV[i]), ARGV[i + 1]
  local buyer, order_no, items, total = claim[3], claim[4], claim[5], 0
  if deadline_ms == '-1' then
    -- Released: its request must still be known, or a retry would be decided anew.
    if redis.call('HSETNX', KEYS[4], claim[1], claim[2] .. order_no) == 1 then
      redis.call('RPUSH', KEYS[7], buyer)
    end
  elseif redis.call('HSETNX', KEYS[5], order_no, ARGV[i]) == 1 then
    local kind = deadline_ms == '0' and 'sold:' or 'held:'
    for j = 1, #items, 2 do
      redis.call('HINCRBY', KEYS[2], kind .. items[j], items[j + 1])
      total = total + items[j + 1]
    end
    redis.call('HINCRBY', KEYS[2], 'used:' .. (claim[6] or 0), total)
    redis.call('HINCRBY', KEYS[3], buyer, total)
    redis.call('HSET', KEYS[4], claim[1], claim[2] .. order_no)
    redis.call('RPUSH', KEYS[7], buyer)
    if deadline_ms ~= '0' then
      redis.call('ZADD', KEYS[6], deadline_ms, order_no)
    end
  end
end
return LOADED
