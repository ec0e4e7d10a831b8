#!lua flags=allow-oom
-- forget: drop keys that nobody reads any more: rosters of older epochs, or everything of a sale that is over.
-- KEYS   1 control  2.. what to drop, the control itself last of all
-- ARGV   1 epoch
-- CODES  STALE_EPOCH, FORGOTTEN
-- REPLY  one code
-- COST   O(keys) here; memory is freed in the background
-- WHY    Only whoever knows the sale's newest epoch may drop anything, so that a process which slept through a
--        rebuild cannot drop what was loaded since.

local STALE_EPOCH, FORGOTTEN = 0, 1

if tonumber(redis.call('HGET', KEYS[1], 'epoch') or 0) > tonumber(ARGV[1]) then
  return STALE_EPOCH
end
for i = 2, #KEYS do
  redis.call('UNLINK', KEYS[i])
end
return FORGOTTEN
