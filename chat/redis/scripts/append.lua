-- Appends entries of one conversation.
--
-- KEYS: tails of the partition, log of the conversation (its channel has the same name), feed of
--       the partition, then the key of each ref
-- ARGV: conversation, time in ms, four random digits for an epoch, "epoch change tag" of the newest
--       change that the caller knows or "", then for each entry: its tag, which of the keys of refs is its own
--       or 0, and "tag time record" as the log will have it
--
-- Strings of Lua are hashed whole when they are made, so the long ones are made as rarely as
-- possible: the entries of the log come ready, and are made again only where the time is another.
--
-- Returns the epoch, the tag before the first change, and for each entry
-- "number seq tag ts duplicate".
-- What is the same for all calls is part of the text: the lifetime of a ref, how many messages are
-- kept, for how long (0: for ever), how many changes the feed keeps, and whether to tell the nodes
-- that subscribe: what must be at replicas first is told by the caller.
local LIFETIME, MESSAGES, AGE, FEED = '{lifetime}', {messages}, {age}, '{feed}'

local call, format = redis.call, string.format
local tails, log = KEYS[1], KEYS[2]
local conversation = ARGV[1]

local now = tonumber(ARGV[2])
local change, seq, tag, ts, back, rest = 0, 0, '0', 0, 0, ''
local epoch, of, lost = nil, '', false
local have = call('HMGET', tails, conversation, '#feed')
local stored, fed = have[1], (tonumber(have[2]) or 0) + 1
if stored then
	local a, b, c, d, e, f, g = string.match(stored, '^(%d+) (%d+) (%d+) (%-?%d+) (%S+) (%d+)(.*)$')
	change, seq, tag, ts, epoch, back, rest = tonumber(a), tonumber(b), c, tonumber(d), e, tonumber(f), g
else
	epoch = call('HGET', tails, '#')
	lost = call('DEL', log) == 1
end
if ARGV[4] ~= '' then
	local number, its
	of, number, its = string.match(ARGV[4], '^(%S+) (%d+) (%d+)')
	local known = tonumber(number)
	lost = lost or of == epoch and (known > change or (known == change and known > 0 and its ~= '0' and tag ~= '0' and its ~= tag))
end
if lost or not epoch or of ~= '' and of ~= epoch then
	local salt = ARGV[3]
	{epoch}
	if not epoch then
		epoch = begin(of)
		call('HSET', tails, '#', epoch)
	end
	if lost or later(of, epoch) then
		lost, epoch = true, begin(epoch, of)
	end
end

if ts > now then
	if ts - now > 60000 then
		back = change + 1 -- the clock was wrong when the last message was stored
	else
		now = ts
	end
end
local last, at = ts, ARGV[2]
if now ~= tonumber(at) then
	at = format('%d', now)
end
local before = tag
local results, entries, sizes = {epoch, before}, {}, {}
for i = 5, #ARGV, 3 do
	local ref = tonumber(ARGV[i + 1])
	local result = format('%d %d %s %s', change + 1, seq + 1, ARGV[i], at)
	local dup = false
	if ref > 0 then
		local old = call('SET', KEYS[3 + ref], result, 'PX', LIFETIME, 'NX', 'GET')
		if old then
			local n, t = string.match(old, '^(%d+) %d+ %d+ (%-?%d+)')
			dup = tonumber(n) <= change and now - tonumber(t) < tonumber(LIFETIME)
			if dup then
				results[#results + 1] = old .. ' 1'
			else
				call('SET', KEYS[3 + ref], result, 'PX', LIFETIME)
			end
		end
	end
	if not dup then
		change, seq, tag = change + 1, seq + 1, ARGV[i]
		results[#results + 1] = result .. ' 0'
		local entry = ARGV[i + 2]
		if at ~= ARGV[2] then
			entry = tag .. ' ' .. at .. ' ' .. string.match(entry, '^%d+ %-?%d+ (.*)$')
		end
		entries[#entries + 1] = entry
		sizes[#sizes + 1] = format('%d', #entry)
	end
end

if #entries > 0 then
	local kept = call('RPUSH', log, unpack(entries))
	call('HSET', tails, '#feed', format('%d', fed), conversation, format('%d %d %s %s %s %d%s', change, seq, tag, at, epoch, back, rest))
	if kept >= MESSAGES + 64 then
		call('LTRIM', log, -MESSAGES, -1)
	end
	-- The log expires when its last message is too old. To set that again with each message would
	-- cost as much as storing it: an eighth of the time is enough.
	if AGE > 0 and (kept == #entries or math.floor(now * 8 / AGE) ~= math.floor(last * 8 / AGE) or change % 64 < #entries) then
		call('PEXPIRE', log, format('%d', AGE * 5 / 4))
		local old = 0
		for _, e in ipairs(call('LRANGE', log, 0, 16 + 2 * #entries)) do
			if tonumber(string.match(e, '^%d+ (%-?%d+) ')) > now - AGE then break end
			old = old + 1
		end
		if old > 0 then
			call('LTRIM', log, old, -1)
		end
	end
	call('RPUSH', KEYS[3], format('%d %d %s', fed, change, conversation))
	if fed % 32 == 0 then
		call('LTRIM', KEYS[3], '-' .. FEED, -1)
	end
	if {tell} then
		local head = format('a%s %s %s %d %s\n', conversation, epoch, before, change - #entries + 1, table.concat(sizes, ','))
		call('SPUBLISH', log, head .. table.concat(entries))
	end
elseif lost then
	call('HSET', tails, conversation, format('%d %d %s %s %s %d%s', change, seq, tag, ts, epoch, back, rest))
end
return results
