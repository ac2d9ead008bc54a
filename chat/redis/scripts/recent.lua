-- Returns the number of a user's newest hint, and the hints that are not too old, newest first.
--
-- KEYS: numbers of the newest hints of the partition's users, inbox of the user
-- ARGV: user, ms that hints live
local n = redis.call('HGET', KEYS[1], ARGV[1]) or '0'
local t = redis.call('TIME')
local since = t[1] * 1000 + math.floor(t[2] / 1000) - ARGV[2]
local recent, from = {}, 0
while true do
	local some = redis.call('ZREVRANGE', KEYS[2], from, from + 99)
	for _, hint in ipairs(some) do
		if tonumber(string.match(hint, '^%S+ %S+ %S+ %S+ (%d+)')) < since then
			return {n, recent}
		end
		recent[#recent + 1] = hint
	end
	if #some < 100 then
		return {n, recent}
	end
	from = from + 100
end
