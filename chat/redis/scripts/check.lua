-- Returns what HMGET returns for "#" and a conversation. If a change that somebody knows is not
-- stored, and was not dropped as an old one, a new epoch of the conversation begins first.
--
-- KEYS: tails of the partition, log of the conversation
-- ARGV: conversation, change, tag and epoch that are known, a new epoch in case
local have = redis.call('HMGET', KEYS[1], '#', ARGV[1])
local known = tonumber(ARGV[2])
if not have[1] then
	redis.call('HSET', KEYS[1], '#', ARGV[5])
	have[1] = ARGV[5]
end
local lost, tail = false, nil
if have[2] then
	local a, b, c, d, e, f = string.match(have[2], '^(%d+) (%d+) (%d+) (%-?%d+) (%S+) (.*)$')
	local change = tonumber(a)
	if e == ARGV[4] then
		local first = change - redis.call('LLEN', KEYS[2]) + 1
		if known > change then
			lost = true
		elseif known > 0 and known == change then
			lost = ARGV[3] ~= '0' and c ~= '0' and c ~= ARGV[3]
		elseif known >= first and ARGV[3] ~= '0' then
			local entry = redis.call('LINDEX', KEYS[2], known - first)
			lost = entry and string.match(entry, '^%d+') ~= ARGV[3]
		end
		tail = a .. ' ' .. b .. ' ' .. c .. ' ' .. d .. ' ' .. ARGV[5] .. ' ' .. f
	end
elseif have[1] == ARGV[4] and known > 0 then
	lost, tail = true, '0 0 0 0 ' .. ARGV[5] .. ' 0'
	redis.call('DEL', KEYS[2])
end
if lost then
	redis.call('HSET', KEYS[1], ARGV[1], tail)
	have[2] = tail
end
return have
