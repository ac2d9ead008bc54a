-- Bans somebody, or lifts a ban, forgets bans that have ended, and tells all nodes.
--
-- KEYS: bans, control stream, control channel
-- ARGV: subject, record or "" to lift it, how many bans there may be, how many entries of the
--       control stream to keep, the salt of a new one, then those to forget, unless they have
--       another record by now: subject, record, ...
--
-- Returns the number of the change, 0 if nothing has changed, -1 if there are too many, and the
-- last entry of the control stream.
local id = ''
local function changed(subject)
	local n = redis.call('HINCRBY', KEYS[1], '#', 1)
	id = tell(KEYS[2], ARGV[4], ARGV[5], 'ban ' .. subject .. ' ' .. string.format('%.0f', n))
	return n
end

for i = 6, #ARGV, 2 do
	if ARGV[i] ~= ARGV[1] and redis.call('HGET', KEYS[1], ARGV[i]) == ARGV[i + 1] then
		redis.call('HDEL', KEYS[1], ARGV[i])
		changed(ARGV[i])
	end
end
local n = 0
local there = redis.call('HGET', KEYS[1], ARGV[1])
if ARGV[2] == '' then
	if there then
		redis.call('HDEL', KEYS[1], ARGV[1])
		n = changed(ARGV[1])
	end
elseif not there and redis.call('HLEN', KEYS[1]) > tonumber(ARGV[3]) then -- one field is "#"
	n = -1
else
	redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
	n = changed(ARGV[1])
end
if id ~= '' then
	redis.call('SPUBLISH', KEYS[3], 'x' .. id)
end
return {n, id}
