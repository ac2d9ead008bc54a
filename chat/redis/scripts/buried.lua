-- Notes that everything is removed that a dead node had, and when.
--
-- KEYS: nodes
-- ARGV: node
if tonumber(redis.call('ZSCORE', KEYS[1], ARGV[1]) or '0') == -1 then
	local t = redis.call('TIME')
	redis.call('ZADD', KEYS[1], string.format('%.0f', -(t[1] * 1000 + math.floor(t[2] / 1000))), ARGV[1])
end
return 1
