#!lua flags=allow-oom
-- confirm: the orders are paid; their units go from held to sold, each at most once.
-- KEYS   1 control  2 stock  3 claims  4 deadlines
-- ARGV   1 epoch  2.. order numbers
-- CODES  FENCED, MISSING, REPEATED, CONFIRMED
-- REPLY  one code per order number; {FENCED} alone when fenced
-- COST   O(order numbers): 2 reads and at most 3 writes each
-- WHY    PostgreSQL has decided already; this only follows. Losing the call costs nothing: the sweeper finds the
--        deadline of a paid order and confirms again.

local FENCED, MISSING, REPEATED, CONFIRMED = 0, 1, 2, 3

local control = redis.call('HMGET', KEYS[1], 'epoch', 'run')
if control[1] ~= ARGV[1] or control[2] ~= string.match(redis.call('INFO', 'server'), 'run_id:(%x+)') then
  return { FENCED }
end

redis.call('HLEN', KEYS[2]) -- a key of another kind stops us here, not between two writes
local codes = {}
for i = 2, #ARGV do
  local order_no = ARGV[i]
  local packed = redis.call('HGET', KEYS[3], order_no)
  if not packed then
    codes[#codes + 1] = MISSING
  elseif redis.call('ZREM', KEYS[4], order_no) == 0 then
    codes[#codes + 1] = REPEATED
  else
    local items = cmsgpack.unpack(packed)[5]
    for j = 1, #items, 2 do
      redis.call('HINCRBY', KEYS[2], 'held:' .. items[j], -items[j + 1])
      redis.call('HINCRBY', KEYS[2], 'sold:' .. items[j], items[j + 1])
    end
    codes[#codes + 1] = CONFIRMED
  end
end
return codes
