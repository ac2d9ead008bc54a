-- Ends a user's claim of a look, if it still is what it was; "": whatever it is.
--
-- KEYS: the look
-- ARGV: user, claim
local claim = redis.call('HGET', KEYS[1], ARGV[1])
if claim and (ARGV[2] == '' or claim == ARGV[2]) then
	redis.call('HDEL', KEYS[1], ARGV[1])
	if redis.call('HLEN', KEYS[1]) == 1 then
		redis.call('DEL', KEYS[1])
	end
end
return 1
