-- Puts a hint into a user's inbox, and lists the talk.
--
-- KEYS: numbers of the newest hints of the partition's users, inbox and talks of the user
-- ARGV: user, other user, conversation, change, tag and epoch before the append, ms that hints live
local n = redis.call('HINCRBY', KEYS[1], ARGV[1], 1)
if n == 1 then
	redis.call('DEL', KEYS[2])
end
local t = redis.call('TIME')
local ms = string.format('%.0f', t[1] * 1000 + math.floor(t[2] / 1000))
redis.call('XADD', KEYS[2], 'MAXLEN', '~', 10000, n .. '-' .. ms, 'c', ARGV[3], 'n', ARGV[4], 't', ARGV[5], 'e', ARGV[6])
redis.call('PEXPIRE', KEYS[2], 2 * ARGV[7])
redis.call('ZADD', KEYS[3], 0, ARGV[2])
return n
