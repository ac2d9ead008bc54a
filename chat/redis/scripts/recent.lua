-- Returns the number of a user's newest hint, and the hints that are not too old.
--
-- KEYS: numbers of the newest hints of the partition's users, inbox of the user
-- ARGV: user, ms that hints live
local n = redis.call('HGET', KEYS[1], ARGV[1]) or '0'
local t = redis.call('TIME')
local since = t[1] * 1000 + math.floor(t[2] / 1000) - ARGV[2]
local recent, upper = {}, '+'
while true do
	local some = redis.call('XREVRANGE', KEYS[2], upper, '-', 'COUNT', 100)
	for _, e in ipairs(some) do
		if tonumber(string.match(e[1], '%-(%d+)$')) < since then
			return {n, recent}
		end
		recent[#recent + 1] = e
	end
	if #some < 100 then
		return {n, recent}
	end
	upper = '(' .. some[100][1]
end
