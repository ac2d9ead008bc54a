-- Makes a user a member of a room, or ends that, in one of the two lists.
--
-- KEYS: the list; with a word for the user's nodes, their channel; then, all in the slot of the
--       list, to begin a membership the user and their sessions, and to end it those that
--       must not be there
-- ARGV: what the list holds, ms since 1970, "1" or "0", the word or ""
--
-- Returns 1 if something has changed, and -1 if the user does not exist, is a guest without a
-- session, or one of the keys is there that must not be.
if ARGV[3] == '0' then
	for i = 3, #KEYS do
		if redis.call('EXISTS', KEYS[i]) == 1 then
			return -1
		end
	end
elseif KEYS[3] then
	local user = redis.call('HMGET', KEYS[3], 'name', 'guest')
	if not user[1] or user[2] == '1' and redis.call('EXISTS', KEYS[4]) == 0 then
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
