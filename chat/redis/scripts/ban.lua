-- Bans somebody, or lifts a ban, and tells all nodes.
--
-- KEYS: bans, control stream, control channel
-- ARGV: subject, record or "" to lift it, how many there may be, how many entries of the control
--       stream to keep, the record that must be there or "" if any may be
--
-- Returns the number of the change, 0 if nothing has changed, -1 if there are too many.
local old = redis.call('HGET', KEYS[1], ARGV[1])
if ARGV[5] ~= '' and old ~= ARGV[5] or ARGV[2] == '' and not old then
	return 0
end
if ARGV[2] == '' then
	redis.call('HDEL', KEYS[1], ARGV[1])
elseif not old and redis.call('HLEN', KEYS[1]) > tonumber(ARGV[3]) then -- one field is "#"
	return -1
else
	redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
end
local n = redis.call('HINCRBY', KEYS[1], '#', 1)
local id = redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[4], '*', 'w', 'ban ' .. ARGV[1] .. ' ' .. string.format('%.0f', n))
redis.call('SPUBLISH', KEYS[3], 'x' .. id)
return n
