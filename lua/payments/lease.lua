#!lua
-- lease: take tokens of one quota, for one process to spend at once.
-- KEYS   1 quota (hash: tokens, at_us)
-- ARGV   1 rate (tokens a second)  2 depth (the most that gather while nobody takes any)  3 wanted
-- CODES  EMPTY, LEASED
-- REPLY  {code, tokens leased, milliseconds until there is a token again}
-- COST   O(1): 1 read and 2 writes
-- WHY    A quota belongs to the merchant, not to a process. Whoever needs tokens leases as many as it has waiters and a
--        few more, so that a busy process asks seldom and an idle one holds nothing. Redis forgetting a quota is
--        harmless: it begins full again.

local EMPTY, LEASED = 0, 1
local time = redis.call('TIME')
local now_us = time[1] * 1000000 + time[2]
local rate, depth = tonumber(ARGV[1]), tonumber(ARGV[2])

local quota = redis.call('HMGET', KEYS[1], 'tokens', 'at_us')
local tokens, at_us = tonumber(quota[1]), tonumber(quota[2])
if not (tokens and at_us) then
  tokens, at_us = depth, now_us
end
-- A clock that was set back gives nothing, and takes nothing away.
tokens = math.min(depth, tokens + math.max(0, now_us - at_us) * rate / 1000000)
local leased = math.min(math.floor(tokens), tonumber(ARGV[3]))
tokens = tokens - leased
redis.call('HSET', KEYS[1], 'tokens', string.format('%.6f', tokens), 'at_us', string.format('%.0f', now_us))
redis.call('PEXPIRE', KEYS[1], math.ceil(depth / rate * 1000) + 1000) -- by then it would be full anyway
if leased == 0 then
  return { EMPTY, 0, math.ceil((1 - tokens) / rate * 1000) }
end
return { LEASED, leased, 0 }
