-- Puts a hint into a user's inbox, and lists the talk. A hint is "conversation change tag epoch
-- time number", and its score is its number. The first number is the time in ms, so that those
-- after a loss are beyond those before it.
--
-- KEYS: numbers of the newest hints of the partition's users, inbox and talks of the user
-- ARGV: user, other user, conversation, change, tag and epoch before the append, ms that hints live
local t = redis.call('TIME')
local ms = string.format('%.0f', t[1] * 1000 + math.floor(t[2] / 1000))
if redis.call('HSETNX', KEYS[1], ARGV[1], ms) == 1 then
	redis.call('DEL', KEYS[2])
end
local n = redis.call('HINCRBY', KEYS[1], ARGV[1], 1)
local number = string.format('%.0f', n)
redis.call('ZADD', KEYS[2], number, ARGV[3] .. ' ' .. ARGV[4] .. ' ' .. ARGV[5] .. ' ' .. ARGV[6] .. ' ' .. ms .. ' ' .. number)
if n % 64 == 0 then
	redis.call('ZREMRANGEBYRANK', KEYS[2], 0, -10001)
end
redis.call('PEXPIRE', KEYS[2], 2 * ARGV[7])
redis.call('ZADD', KEYS[3], 0, ARGV[2])
return n
