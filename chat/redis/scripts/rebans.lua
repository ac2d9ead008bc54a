-- Stores bans again that Redis has lost, and tells all nodes. A newer ban of the same subject
-- stays.
--
-- KEYS: bans, control stream, control channel
-- ARGV: the number of the last change that the node knew, how many entries of the control stream
--       to keep, the salt of a new one, then: subject, record, when it was imposed, ...
--
-- Returns how many it has stored.
local stored = 0
for i = 4, #ARGV, 3 do
	local old = redis.call('HGET', KEYS[1], ARGV[i])
	local older = not old
	if old and old ~= ARGV[i + 1] then
		local ok, ban = pcall(cjson.decode, old)
		older = ok and type(ban) == 'table' and (tonumber(ban.since) or 0) < tonumber(ARGV[i + 2])
	end
	if older then
		redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1])
		stored = stored + 1
	end
end
if stored > 0 then
	local n = math.max(tonumber(redis.call('HGET', KEYS[1], '#') or 0), tonumber(ARGV[1])) + stored
	local text = string.format('%.0f', n)
	redis.call('HSET', KEYS[1], '#', text)
	local id = tell(KEYS[2], ARGV[2], ARGV[3], 'ban * ' .. text)
	redis.call('SPUBLISH', KEYS[3], 'x' .. id)
end
return stored
