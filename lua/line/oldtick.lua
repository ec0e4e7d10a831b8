#!lua
-- oldtick: move the head of the line at its rate and tell where everything stands.
-- KEYS   1 control  2 stock  3 line
-- ARGV   1 epoch  2 rate per second  3 burst: how far the head may run ahead of the last place
-- CODES  FENCED, TICKED
-- REPLY  {FENCED} or {TICKED, head, tail, ceiling}
-- COST   O(SKUs)
-- WHY    Any worker may tick; the time that has passed decides, not who asks, so no leader is needed. The head moves
--        only while the sale is open and a unit is free: nobody is called forward to find an empty shelf.

local FENCED, TICKED = 0, 1

local control = redis.call('HMGET', KEYS[1], 'epoch', 'run', 'opens_ms', 'closes_ms', 'paused')
if control[1] ~= ARGV[1] or control[2] ~= string.match(redis.call('INFO', 'server'), 'run_id:(%x+)') then
  return { FENCED }
end
local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
local rate, burst = tonumber(ARGV[2]), tonumber(ARGV[3])
local line = redis.call('HMGET', KEYS[3], 'head:0', 'tail:0', 'ceiling:0', 'ticked_ms')
local head, tail, ceiling = tonumber(line[1] or 0), tonumber(line[2] or 0), tonumber(line[3] or 0)
local ticked_ms = tonumber(line[4] or now_ms)

local free = false
if control[5] ~= '1' and now_ms >= tonumber(control[3]) and now_ms < tonumber(control[4]) then
  local stock = redis.call('HGETALL', KEYS[2])
  for i = 1, #stock, 2 do
    free = free or (string.sub(stock[i], 1, 5) == 'free:' and tonumber(stock[i + 1]) > 0)
  end
end
if not free then
  ticked_ms = now_ms -- time in which nobody could be served earns no admissions
else
  local moves = math.floor((now_ms - ticked_ms) * rate / 1000)
  if moves > 0 then
    ticked_ms = ticked_ms + math.floor(moves * 1000 / rate)
    head = math.max(head, math.min(head + moves, tail + burst))
  end
end
redis.call('HSET', KEYS[3], 'head:0', head, 'ticked_ms', ticked_ms)
return { TICKED, head, tail, ceiling }
