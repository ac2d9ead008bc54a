-- Replaces sessions of a user, if nobody else has changed any of them. Those that end are
-- remembered for as long as the key is kept, so that a node that still has connections of one does
-- not take it for lost.
--
-- KEYS: sessions of the user by id, users of the partition by when to look at their sessions,
--       sessions of the user that have ended, by when; for one that was lost also the
--       user
-- ARGV: user, ms to keep the key, when to look at the sessions, "1" if all have ended that began
--       until now, when the one that was lost began or "", then for each session its id, what it
--       is, and what it shall be; "": nothing
--
-- Returns -1 if something has changed, -2 if the one that was lost has ended, or its user does
-- not exist, otherwise how many sessions there are now.
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
if ARGV[5] ~= '' then
	local all = redis.call('ZSCORE', KEYS[3], '-')
	if redis.call('EXISTS', KEYS[4]) == 0 or all and tonumber(all) >= tonumber(ARGV[5]) then
		return -2
	end
end
for i = 6, #ARGV, 3 do
	if ARGV[i + 2] ~= '' and redis.call('ZSCORE', KEYS[3], ARGV[i]) then
		return -2
	end
	if (redis.call('HGET', KEYS[1], ARGV[i]) or '') ~= ARGV[i + 1] then
		return -1
	end
end
local ended = {}
for i = 6, #ARGV, 3 do
	if ARGV[i + 2] == '' then
		redis.call('HDEL', KEYS[1], ARGV[i])
		ended[#ended + 1] = ARGV[i]
	else
		redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 2])
	end
end
if ARGV[4] == '1' then
	ended[#ended + 1] = '-'
end
for _, id in ipairs(ended) do
	redis.call('ZADD', KEYS[3], string.format('%.0f', now), id)
end
if #ended > 0 then
	redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', string.format('%.0f', now - ARGV[2]))
	-- That all have ended is not one of those that are too many.
	local all = redis.call('ZSCORE', KEYS[3], '-')
	redis.call('ZREMRANGEBYRANK', KEYS[3], 0, -1001)
	if all then
		redis.call('ZADD', KEYS[3], all, '-')
	end
	redis.call('PEXPIRE', KEYS[3], ARGV[2])
end
local left = redis.call('HLEN', KEYS[1])
if left > 0 then
	redis.call('PEXPIRE', KEYS[1], ARGV[2])
	redis.call('ZADD', KEYS[2], ARGV[3], ARGV[1])
else
	redis.call('ZREM', KEYS[2], ARGV[1])
end
return left
