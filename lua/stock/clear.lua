#!lua flags=allow-oom
-- clear: forget everything Redis knows of a sale and fence it under a new epoch, before it is loaded again.
-- KEYS   1 control, then every other key of the sale
-- ARGV   1 epoch
-- CODES  STALE_EPOCH, CLEARED
-- REPLY  {code, the epoch that Redis had}
-- COST   O(1) here; memory is freed in the background
-- WHY    First step of a rebuild. Without a run in the control hash every other script refuses, so nothing can be
--        sold from a half-loaded stock. A coordinator that lost its turn carries an older epoch and is refused; one
--        whose server restarted meanwhile finds another run than the one that was cleared, and begins again.

local STALE_EPOCH, CLEARED = 0, 1

local epoch = tonumber(redis.call('HGET', KEYS[1], 'epoch') or 0)
if epoch >= tonumber(ARGV[1]) then
  return { STALE_EPOCH, epoch }
end
redis.call('UNLINK', unpack(KEYS))
redis.call('HSET', KEYS[1], 'epoch', ARGV[1], 'cleared_in',
  string.match(redis.call('INFO', 'server'), 'run_id:(%x+)'))
return { CLEARED, epoch }
