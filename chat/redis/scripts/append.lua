-- Appends entries of some conversations, which do not depend on each other.
--
-- KEYS, for each conversation: tails of the partition, log of the conversation (its channel has the
--       same name), then for each entry the key of its ref, or once more that of the log if it has none
-- ARGV, for each conversation: its name; how many entries it has, time in ms, change and tag of the
--       newest change that the caller knows, four random digits for an epoch, and the epoch of that
--       change or nothing ("<I1i6I6I4", 4 bytes, the rest); then each entry as the log will have it
--       (record.go)
--
-- Most of the time goes to Lua and not to what the commands do. So the numbers are packed and not
-- written in digits, and strings, which Lua hashes whole when they are made, are made as rarely as
-- possible, above all the long ones.
--
-- Returns, for each conversation, an error, or the number of the first change that was stored, its
-- seq, the tag before it, its time and the epoch ("<I6I6I4i6I1c0"), and then, for each entry that had
-- been stored before, which one that is, from 0, and what its ref has ("I1I1c0"): number, seq, tag
-- and time ("<I6I6I4i6").
--
-- What is the same for all calls is part of the text: the lifetime of a ref, how many messages are
-- kept, for how long (0: for ever), and whether to tell the nodes that subscribe: what must be at
-- replicas first is told by the caller.
local LIFETIME, MESSAGES, AGE = '{lifetime}', {messages}, {age}

local call, pack, read = redis.call, struct.pack, struct.unpack

-- Appends the entries of the conversation whose log is this key, and whose head this argument.
local function append(key, at)
	local tails, log = KEYS[key - 1], KEYS[key]
	local conversation, head = ARGV[at - 1], ARGV[at]

	local count, asked, known, its = read('<I1i6I6I4', head)
	local of = #head > 21 and string.sub(head, 22) or ''
	local change, seq, tag, last, back, epoch, rest = 0, 0, 0, 0, 0, nil, ''
	local lost = false
	local stored = call('HGET', tails, conversation)
	if stored then
		local version, after
		version, change, seq, tag, last, back, epoch, after = read('<I1I6I6I4i6I6I1c0', stored)
		if version ~= 1 then
			return redis.error_reply('NEWER the tail of the conversation is of version ' .. version)
		end
		if after <= #stored then
			rest = string.sub(stored, after)
		end
	else
		epoch = call('HGET', tails, '#')
		lost = call('EXISTS', log) == 1 -- first, as after a DEL the script might write although the memory is full
		if lost then
			call('DEL', log)
		end
	end
	if of == epoch and (known > change or known == change and known > 0 and its ~= 0 and tag ~= 0 and its ~= tag) then
		lost = true
	end
	if lost or not epoch or of ~= '' and of ~= epoch then
		local salt = string.sub(head, 18, 21)
		{epoch}
		if not epoch then
			epoch = begin(of)
			call('HSET', tails, '#', epoch)
		end
		if lost or later(of, epoch) then
			lost, epoch = true, begin(epoch, of)
		end
	end

	local now = asked
	if last > now then
		if last - now > 60000 then
			back = change + 1 -- the clock was wrong when the last message was stored
		else
			now = last
		end
	end
	local before, first, firstSeq = tag, change + 1, seq + 1
	local entries, n, duplicates = {}, 0, ''
	for i = 1, count do
		local entry, ref, duplicate = ARGV[at + i], KEYS[key + i], false
		local own = read('<I4', entry)
		if ref ~= log then
			local result = pack('<I6I6I4i6', change + 1, seq + 1, own, now)
			local old = call('SET', ref, result, 'PX', LIFETIME, 'NX', 'GET')
			if old then
				local number, _, _, at = read('<I6I6I4i6', old)
				duplicate = number <= change and now - at < {lifetime}
				if duplicate then
					duplicates = duplicates .. pack('I1I1c0', i - 1, #old, old)
				else
					call('SET', ref, result, 'PX', LIFETIME)
				end
			end
		end
		if not duplicate then
			change, seq, tag = change + 1, seq + 1, own
			if now ~= asked then
				entry = pack('<I4i6', own, now) .. string.sub(entry, 11)
			end
			n = n + 1
			entries[n] = entry
		end
	end

	local kept = n > 0 and call('RPUSH', log, unpack(entries))
	-- Also if nothing is new: from Redis 7.2 on, WAIT and WAITAOF wait for what the connection has
	-- written last, and what was stored before must be as safe as what is new.
	call('HSET', tails, conversation, pack('<I1I6I6I4i6I6I1c0', 1, change, seq, tag, kept and now or last, back, #epoch, epoch) .. rest)
	if kept then
		if kept >= MESSAGES + 64 then
			call('LTRIM', log, -MESSAGES, -1)
		end
		-- The log expires when its last message is too old. To set that again with each message would
		-- cost as much as storing it: an eighth of the time is enough.
		if AGE > 0 and (kept == n or change % 64 < n or now - now % (AGE / 8) ~= last - last % (AGE / 8)) then
			call('PEXPIRE', log, string.format('%d', AGE * 5 / 4))
			local old = 0
			for _, entry in ipairs(call('LRANGE', log, 0, 16 + 2 * n)) do
				if #entry >= 10 and select(2, read('<I4i6', entry)) > now - AGE then break end
				old = old + 1
			end
			if old > 0 then
				call('LTRIM', log, old, -1)
			end
		end
		if {tell} then
			local first = entries[1]
			local told = pack('<c1I2c0I1c0I4I6I1I4', 'a', #conversation, conversation, #epoch, epoch, before, change - n + 1, n, #first)
			if n == 1 then
				told = told .. first
			else
				for i = 2, n do
					told = told .. pack('<I4', #entries[i])
				end
				told = told .. table.concat(entries)
			end
			call('SPUBLISH', log, told)
		end
	end
	return pack('<I6I6I4i6I1c0', first, firstSeq, before, now, #epoch, epoch) .. duplicates
end

local results, key, at = {}, 2, 2
while at < #ARGV do
	local done, result = pcall(append, key, at)
	if not done and type(result) == 'string' then
		result = redis.error_reply(result)
	end
	results[#results + 1] = result
	local count = string.byte(ARGV[at])
	key, at = key + count + 2, at + count + 2
end
return results
