#!lua
-- draw: publish the opening draw: from now on positions are known and people may join behind the lobby.
-- KEYS   1 control  2 line
-- ARGV   1 epoch  2.. lane, people in its lobby, seed, root, lane, ...
-- CODES  FENCED, CONFLICT, DRAWN
-- REPLY  one code
-- COST   O(lanes)
-- WHY    The draw was made and written down in PostgreSQL; here it is only repeated, as often as anybody likes. A
--        second, different draw under one epoch can only come from a ledger that was put back to an older state, and
--        is refused. A rebuild publishes while the sale is still closed: that is why a cleared sale is let through.

local FENCED, CONFLICT, DRAWN = 0, 1, 2

local control = redis.call('HMGET', KEYS[1], 'epoch', 'run', 'cleared_in')
local run = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
if control[1] ~= ARGV[1] or (control[2] or control[3]) ~= run then
  return FENCED
end
local fields = {}
for i = 2, #ARGV, 4 do
  local lane = ARGV[i]
  for at, name in ipairs({ 'lobby:', 'seed:', 'root:' }) do
    fields[#fields + 1] = name .. lane
    fields[#fields + 1] = ARGV[i + at]
  end
end
if redis.call('HGET', KEYS[2], 'drawn') == '1' then
  for i = 1, #fields, 2 do
    if redis.call('HGET', KEYS[2], fields[i]) ~= fields[i + 1] then
      return CONFLICT
    end
  end
  return DRAWN
end
redis.call('HSET', KEYS[2], 'drawn', 1, unpack(fields))
return DRAWN
