-- Declares a node dead whose last heartbeat is too old; or, with a state, moves a dead one on: -2
-- when everything that it had is removed, 0 to forget it.
--
-- KEYS: nodes
-- ARGV: node, ms after which a node is dead, state or ""
local score = tonumber(redis.call('ZSCORE', KEYS[1], ARGV[1]) or '0')
if ARGV[3] == '0' then
	redis.call('ZREM', KEYS[1], ARGV[1])
elseif ARGV[3] ~= '' then
	if score < 0 then
		redis.call('ZADD', KEYS[1], ARGV[3], ARGV[1])
	end
else
	local t = redis.call('TIME')
	if score > 0 and t[1] * 1000 + math.floor(t[2] / 1000) - score > tonumber(ARGV[2]) then
		redis.call('ZADD', KEYS[1], -1, ARGV[1])
	end
end
return 1
