-- Claims the look of a name for a user. All users with a look have the same name.
--
-- KEYS: the look
-- ARGV: user, name, time in ms
--
-- Returns nothing if the name is free for this user. Otherwise up to 16 of the others who have
-- another one with this look, and since when they claim it; 0: it is theirs.
local have = redis.call('HMGET', KEYS[1], '=', ARGV[1])
if have[1] and have[1] ~= ARGV[2] then
	local others = redis.call('HLEN', KEYS[1]) - 1
	if have[2] then
		others = others - 1
	end
	if others > 0 then
		local some = {}
		local all = redis.call('HSCAN', KEYS[1], 0, 'COUNT', 16)[2]
		for i = 1, #all, 2 do
			if all[i] ~= '=' and all[i] ~= ARGV[1] and #some < 32 then
				some[#some + 1] = all[i]
				some[#some + 1] = all[i + 1]
			end
		end
		return some
	end
end
redis.call('HSET', KEYS[1], '=', ARGV[2], ARGV[1], ARGV[3])
return false
