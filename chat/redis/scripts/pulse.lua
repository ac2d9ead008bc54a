-- The heartbeat of nodes. The score of a node is the time of its last one, in ms; or -1: it is
-- dead, and what it had is being removed; -2: that is done.
--
-- KEYS: nodes
-- ARGV: ms after which a node is dead, ms after which a dead one is forgotten, then for each of
--       the caller's nodes its id and "1" if it begins
--
-- Returns the time, for each of the caller's nodes whether it is alive, and all nodes with their
-- scores: negative, or ms since the last heartbeat.
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local own = {}
for i = 3, #ARGV, 2 do
	local score = redis.call('ZSCORE', KEYS[1], ARGV[i])
	if ARGV[i + 1] == '1' and not score or score and tonumber(score) > 0 then
		redis.call('ZADD', KEYS[1], now, ARGV[i])
		own[#own + 1] = 1
	else
		own[#own + 1] = 0
	end
end
local all = redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES')
for i = 2, #all, 2 do
	local score = tonumber(all[i])
	if score > 0 then
		all[i] = string.format('%.0f', math.max(0, now - score))
	end
end
return {string.format('%.0f', now), own, all}
