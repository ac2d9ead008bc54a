-- Returns what HMGET returns for "#" and a conversation. If a change that somebody knows is not
-- stored, and was not dropped as an old one, a new epoch of the conversation begins first; also if
-- the epoch that is known is later than the stored one, and so has been lost.
--
-- KEYS: tails of the partition, log of the conversation
-- ARGV: conversation, change, tag and epoch that are known, four random digits
--
-- Whatever epoch is news to the caller is written, if need be once more, so that the caller can
-- wait until it is safe.
local salt = ARGV[5]
{epoch}
local have = redis.call('HMGET', KEYS[1], '#', ARGV[1])
local known, epoch = tonumber(ARGV[2]), ARGV[4]
if not have[1] then
	have[1] = begin(epoch)
	redis.call('HSET', KEYS[1], '#', have[1])
end
local lost, a, b, c, d, e, f = false, '0', '0', '0', '0', have[1], '0'
if have[2] then
	a, b, c, d, e, f = string.match(have[2], '^(%d+) (%d+) (%d+) (%-?%d+) (%S+) (.*)$')
end
local change = tonumber(a)
if e == epoch then
	local first = change - redis.call('LLEN', KEYS[2]) + 1
	if known > change then
		lost = true
	elseif known > 0 and known == change then
		lost = ARGV[3] ~= '0' and c ~= '0' and c ~= ARGV[3]
	elseif known > 0 and known >= first and ARGV[3] ~= '0' then
		local entry = redis.call('LINDEX', KEYS[2], known - first)
		lost = entry and string.match(entry, '^%d+') ~= ARGV[3]
	end
else
	lost = later(epoch, e)
end
if lost then
	if not have[2] then
		redis.call('DEL', KEYS[2])
	end
	have[2] = a .. ' ' .. b .. ' ' .. c .. ' ' .. d .. ' ' .. begin(e, epoch) .. ' ' .. f
end
if have[2] and (lost or e ~= epoch) then
	redis.call('HSET', KEYS[1], ARGV[1], have[2])
elseif e ~= epoch then
	redis.call('HSET', KEYS[1], '#', e)
end
return have
