-- Makes a user a member of a room, or ends that, in one of the two lists.
--
-- KEYS: the list; with a word for the user's nodes, their channel; then those that must not be
--       there, all in the slot of the list
-- ARGV: what the list holds, ms since 1970, "1" or "0", the word or ""
--
-- Returns 1 if something has changed, and -1 if one of these keys is there.
for i = 3, #KEYS do
	if redis.call('EXISTS', KEYS[i]) == 1 then
		return -1
	end
end
local low = '[' .. ARGV[1] .. '\0'
local had = redis.call('ZRANGEBYLEX', KEYS[1], low, '(' .. ARGV[1] .. '\1')
if (#had > 0) == (ARGV[3] == '1') then
	return 0
end
if ARGV[3] == '1' then
	redis.call('ZADD', KEYS[1], 0, ARGV[1] .. '\0' .. ARGV[2])
else
	redis.call('ZREM', KEYS[1], unpack(had))
end
if ARGV[4] ~= '' then
	redis.call('SPUBLISH', KEYS[2], ARGV[4])
end
return 1
