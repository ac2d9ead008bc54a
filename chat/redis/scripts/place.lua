-- Records that a user is in a room by a node, or no longer is, and what the user is called. The
-- nodes that subscribe to the room are told who comes, goes, or has another name.
--
-- KEYS: users in the room in order, what is known of each, what the node has in the partition,
--       channel of the room, who has moved in the partition's rooms, and when in ms
-- ARGV: node, user, room, "1" or "0", revision of the name, created, name. "2" is "1", and tells it
--       again: while the node was thought dead, the user was believed to be gone. "3" is "0", and tells
--       that the user is at another node, if so
--
-- Of each user is known "revision created nodes name", nodes with commas between them.
--
-- Returns the other nodes by which the user is in the room, with commas between them. They may be
-- dead, which this script does not know.
local node, user, want = ARGV[1], ARGV[2], ARGV[4] == '1' or ARGV[4] == '2'
local stored = redis.call('HGET', KEYS[2], user)
local rev, created, name = ARGV[5], ARGV[6], ARGV[7]
local nodes, here = {}, false

local item = ARGV[3] .. ' ' .. user

-- The time of an event is later than that of the one before about the same user and room, so that a node can
-- tell whether it is the last one that it has heard.
local function tell(kind, before)
	local t = redis.call('TIME')
	local now = t[1] * 1000 + math.floor(t[2] / 1000)
	local last = redis.call('ZSCORE', KEYS[5], item)
	if last and tonumber(last) >= now then
		now = tonumber(last) + 1
	end
	redis.call('ZADD', KEYS[5], string.format('%.0f', now), item)
	redis.call('ZREMRANGEBYSCORE', KEYS[5], '-inf', string.format('%.0f', now - 600000))
	redis.call('PEXPIRE', KEYS[5], 600000)
	redis.call('SPUBLISH', KEYS[4], 'p' .. ARGV[3] .. ' ' .. kind .. ' ' .. user .. ' ' .. created .. ' ' .. #name .. ' ' .. string.format('%.0f', now) .. '\n' .. name .. before)
end

if stored then
	local r, c, all, old = string.match(stored, '^(%d+) (%-?%d+) (%S*) (.*)$')
	for n in string.gmatch(all, '[^,]+') do
		if n == node then here = true else nodes[#nodes + 1] = n end
	end
	if tonumber(rev) <= tonumber(r) then
		rev, created, name = r, c, old
	elseif old ~= name then
		tell('r', old)
	end
end

local others = table.concat(nodes, ',')
if want then
	nodes[#nodes + 1] = node
	redis.call('SADD', KEYS[3], item)
	if not stored then
		redis.call('ZADD', KEYS[1], 0, user)
	end
	if not stored or ARGV[4] == '2' then
		tell('j', '')
	end
else
	redis.call('SREM', KEYS[3], item)
end
if #nodes > 0 then
	redis.call('HSET', KEYS[2], user, rev .. ' ' .. created .. ' ' .. table.concat(nodes, ',') .. ' ' .. name)
	if ARGV[4] == '3' then
		tell('j', '')
	end
elseif stored then
	redis.call('HDEL', KEYS[2], user)
	redis.call('ZREM', KEYS[1], user)
	tell('l', '')
elseif not want and name ~= '' then
	tell('l', '') -- what was stored has been lost, and somebody may still believe it
end
return others
