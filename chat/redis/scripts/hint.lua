-- Puts a hint into a user's inbox, and lists the talk. A hint is "conversation change tag epoch
-- time number before", and its score is its number. That is the time in us, or one more than the
-- number before, which every hint names: so a node sees that hints were lost, also if others have
-- been put since.
--
-- KEYS: numbers of the newest hints of the partition's users, inbox and talks of the user
-- ARGV: user, other user, conversation, change, tag and epoch before the append, ms that hints live
local t = redis.call('TIME')
local before = redis.call('HGET', KEYS[1], ARGV[1])
if not before then
	if redis.call('EXISTS', KEYS[2]) == 1 then -- after a DEL the script might write although the memory is full
		redis.call('DEL', KEYS[2])
	end
	before = '0'
end
local n = math.max(tonumber(before) + 1, t[1] * 1000000 + t[2])
local number, ms = string.format('%.0f', n), string.format('%.0f', t[1] * 1000 + math.floor(t[2] / 1000))
redis.call('HSET', KEYS[1], ARGV[1], number)
redis.call('ZADD', KEYS[2], number, table.concat({ARGV[3], ARGV[4], ARGV[5], ARGV[6], ms, number, before}, ' '))
if n % 64 == 0 then
	redis.call('ZREMRANGEBYRANK', KEYS[2], 0, -10001)
end
redis.call('PEXPIRE', KEYS[2], 2 * ARGV[7])
redis.call('ZADD', KEYS[3], 0, ARGV[2])
return number
