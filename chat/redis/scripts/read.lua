-- Reads some of a conversation's log together with its tail.
--
-- KEYS: tails of the partition, log of the conversation
-- ARGV: conversation, first and last change (0: no last), how many, and "1" to take the last ones
--
-- Returns what HMGET returns for "#" and the conversation, the number of the first change that
-- was read, the entries, and the number of the first change that is kept, or will be.
local have = redis.call('HMGET', KEYS[1], '#', ARGV[1])
have[3], have[4], have[5] = '0', {}, '1'
if have[2] then
	local version, change = struct.unpack('<I1I6', have[2])
	if version ~= 1 then
		return redis.error_reply('NEWER the tail of the conversation is of version ' .. version)
	end
	local first = change - redis.call('LLEN', KEYS[2]) + 1
	have[5] = string.format('%.0f', first)
	local from, to, count = math.max(tonumber(ARGV[2]), first), tonumber(ARGV[3]), tonumber(ARGV[4])
	if to == 0 or to > change then
		to = change
	end
	if ARGV[5] == '1' then
		from = math.max(from, to - count + 1)
	else
		to = math.min(to, from + count - 1)
	end
	if from <= to then
		have[3] = string.format('%.0f', from)
		have[4] = redis.call('LRANGE', KEYS[2], from - first, to - first)
	end
end
return have
