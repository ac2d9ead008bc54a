-- Appends entries of one conversation.
--
-- KEYS: tails of the partition, stream and channel of the conversation, feed of the partition,
--       then the key of each ref
-- ARGV: 1 conversation   2 time in ms; 0: that of this server   3 lifetime of a ref in ms
--       4 messages to keep   5 ms to keep them; 0: for ever     6 a new epoch, in case
--       7 change   8 tag   9 epoch   of the newest change that the caller knows; 0: none
--       10 changes to keep in the feed
--       then for each entry: its tag, which of the keys of refs is its own or 0, its record
--
-- Returns the epoch, the tag before the first change, and for each entry
-- "number seq tag ts duplicate".
local tails, stream, channel, feed = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local conversation, fresh = ARGV[1], ARGV[6]

local now = tonumber(ARGV[2])
if now == 0 then
	local t = redis.call('TIME')
	now = t[1] * 1000 + math.floor(t[2] / 1000)
end

local have = redis.call('HMGET', tails, '#', conversation)
local epoch, stored = have[1], have[2]
if not epoch then
	epoch = fresh
	redis.call('HSET', tails, '#', epoch)
end
local change, seq, tag, ts, back, rest = 0, 0, '0', 0, 0, ''
if stored then
	local a, b, c, d, e, f, g = string.match(stored, '^(%d+) (%d+) (%d+) (%-?%d+) (%S+) (%d+)(.*)$')
	change, seq, tag, ts, epoch, back, rest = tonumber(a), tonumber(b), c, tonumber(d), e, tonumber(f), g
elseif redis.call('DEL', stream) == 1 then
	epoch = fresh
end
if ARGV[9] == epoch then
	local known = tonumber(ARGV[7])
	if known > change or (known == change and known > 0 and ARGV[8] ~= '0' and tag ~= '0' and ARGV[8] ~= tag) then
		epoch = fresh
	end
end

if ts > now then
	if ts - now > 60000 then
		back = change + 1 -- the clock was wrong when the last message was stored
	else
		now = ts
	end
end
local at = string.format('%.0f', now)
local before = tag
local results, news = {epoch, before}, {}
for i = 11, #ARGV, 3 do
	local ref = tonumber(ARGV[i + 1])
	local old = ref > 0 and redis.call('GET', KEYS[4 + ref])
	local dup = false
	if old then
		local n, t = string.match(old, '^(%d+) %d+ %d+ (%-?%d+)')
		dup = tonumber(n) <= change and now - tonumber(t) < tonumber(ARGV[3])
	end
	if dup then
		results[#results + 1] = old .. ' 1'
	else
		change, seq, tag, ts = change + 1, seq + 1, ARGV[i], now
		local id = string.format('%.0f', change)
		redis.call('XADD', stream, 'MAXLEN', '~', ARGV[4], id .. '-0', 't', tag, 's', at, 'm', ARGV[i + 2])
		local result = id .. ' ' .. string.format('%.0f', seq) .. ' ' .. tag .. ' ' .. at
		if ref > 0 then
			redis.call('SET', KEYS[4 + ref], result, 'PX', ARGV[3])
		end
		results[#results + 1] = result .. ' 0'
		news[#news + 1] = result .. ' ' .. #ARGV[i + 2] .. '\n' .. ARGV[i + 2]
	end
end

if #news > 0 then
	local id = string.format('%.0f', change)
	redis.call('HSET', tails, conversation,
		id .. ' ' .. string.format('%.0f', seq) .. ' ' .. tag .. ' ' .. at .. ' ' .. epoch .. ' ' .. string.format('%.0f', back) .. rest)
	local age = tonumber(ARGV[5])
	if age > 0 then
		redis.call('PEXPIRE', stream, ARGV[5])
		if change % 32 < #news then -- now and then, some of those that are too old
			local last
			for _, e in ipairs(redis.call('XRANGE', stream, '-', '+', 'COUNT', 64 + 2 * #news)) do
				if tonumber(e[2][4]) > now - age then break end
				last = e[1]
			end
			if last then
				redis.call('XTRIM', stream, 'MINID', tonumber(string.match(last, '^%d+')) + 1)
			end
		end
	end
	redis.call('XADD', feed, 'MAXLEN', '~', ARGV[10], '*', 'c', conversation, 'n', id)
	redis.call('SPUBLISH', channel, 'a' .. conversation .. ' ' .. epoch .. ' ' .. before .. '\n' .. table.concat(news))
end
return results
