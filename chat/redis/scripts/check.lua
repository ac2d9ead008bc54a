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
local known, its, epoch = tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4]
if not have[1] then
	have[1] = begin(epoch)
	redis.call('HSET', KEYS[1], '#', have[1])
end
-- The tail is read as it stands (tail.go), but for its epoch: that stays between what is before it
-- and what is after.
local version, change, tag, stored, front, back = 1, 0, 0, have[1], struct.pack('<I1I6I6I4i6I6', 1, 0, 0, 0, 0, 0), ''
if have[2] then
	local after, _
	version, change, _, tag, _, _, stored, after = struct.unpack('<I1I6I6I4i6I6I1c0', have[2])
	if version ~= 1 then
		return redis.error_reply('NEWER the tail of the conversation is of version ' .. version)
	end
	front, back = string.sub(have[2], 1, #front), string.sub(have[2], after)
end
local lost = false
if stored == epoch then
	local first = change - redis.call('LLEN', KEYS[2]) + 1
	if known > change then
		lost = true
	elseif known > 0 and known == change then
		lost = its ~= 0 and tag ~= 0 and tag ~= its
	elseif known > 0 and known >= first and its ~= 0 then
		local entry = redis.call('LINDEX', KEYS[2], known - first)
		lost = entry and #entry >= 4 and struct.unpack('<I4', entry) ~= its
	end
else
	lost = later(epoch, stored)
end
if lost then
	if not have[2] then
		redis.call('DEL', KEYS[2])
	end
	local new = begin(stored, epoch)
	have[2] = front .. struct.pack('I1c0', #new, new) .. back
end
if have[2] and (lost or stored ~= epoch) then
	redis.call('HSET', KEYS[1], ARGV[1], have[2])
elseif stored ~= epoch then
	redis.call('HSET', KEYS[1], '#', stored)
end
return have
