-- The heartbeat of nodes. The score of a node is the time of its last one, in ms; or -1: it is
-- dead, and what it had is being removed; or less: all is removed, since minus that time.
--
-- While Redis is away it hears nobody. That is held against no node: when one is heard again that
-- was known, the silence of all others begins anew. So it does when the clock has gone back.
--
-- KEYS: nodes
-- ARGV: ms of silence after which a node is dead, ms of silence of all nodes after which it is
--       Redis that was away, ms after which a removed one is forgotten, then for each of the
--       caller's nodes its id and "1" if it begins
--
-- Returns for each of the caller's nodes whether it is alive; the nodes that this call has declared
-- dead; and all nodes with their scores.
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local known = false
for i = 4, #ARGV, 2 do
	known = known or tonumber(redis.call('ZSCORE', KEYS[1], ARGV[i]) or '0') > 0
end

local newest = tonumber(redis.call('ZREVRANGE', KEYS[1], 0, 0, 'WITHSCORES')[2] or '0')
local gap = now - newest
if newest > 0 and (gap < 0 or known and gap > tonumber(ARGV[2])) then
	for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '(0', '+inf')) do
		redis.call('ZINCRBY', KEYS[1], gap, id)
	end
end

local own = {}
for i = 4, #ARGV, 2 do
	local score = redis.call('ZSCORE', KEYS[1], ARGV[i])
	if not score and ARGV[i + 1] == '1' or score and tonumber(score) > 0 then
		redis.call('ZADD', KEYS[1], string.format('%.0f', now), ARGV[i])
		own[#own + 1] = 1
	else
		own[#own + 1] = 0
	end
end

local dead = redis.call('ZRANGEBYSCORE', KEYS[1], '(0', '(' .. string.format('%.0f', now - ARGV[1]))
for _, id in ipairs(dead) do
	redis.call('ZADD', KEYS[1], -1, id)
end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '(' .. string.format('%.0f', ARGV[3] - now), '(-1')
return {own, dead, redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES')}
