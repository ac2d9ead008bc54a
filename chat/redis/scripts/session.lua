-- Replaces sessions of a user, if nobody else has changed any of them.
--
-- KEYS: sessions of the user by id, users of the partition by when to look at their sessions
-- ARGV: user, ms to keep the key, when to look at the sessions, then for each session its id,
--       what it is, and what it shall be; "": nothing
--
-- Returns -1 if something has changed, otherwise how many sessions there are now.
for i = 4, #ARGV, 3 do
	if (redis.call('HGET', KEYS[1], ARGV[i]) or '') ~= ARGV[i + 1] then
		return -1
	end
end
for i = 4, #ARGV, 3 do
	if ARGV[i + 2] == '' then
		redis.call('HDEL', KEYS[1], ARGV[i])
	else
		redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 2])
	end
end
local left = redis.call('HLEN', KEYS[1])
if left > 0 then
	redis.call('PEXPIRE', KEYS[1], ARGV[2])
	redis.call('ZADD', KEYS[2], ARGV[3], ARGV[1])
else
	redis.call('ZREM', KEYS[2], ARGV[1])
end
return left
