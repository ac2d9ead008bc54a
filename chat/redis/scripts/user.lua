-- Stores a user. Fields of the record that are not known here stay. When tokens became valid only
-- moves on.
--
-- KEYS: the user
-- ARGV: name, created, "1" for a guest, when tokens became valid, the name before or ""; if
--       created is "", the user must exist, and what is "" stays as it is
--
-- Returns the name, when the user was created, the revision of the name, "1" for a guest, and when
-- tokens became valid. It changes nothing, and returns nothing if there is no such user and must
-- be one, and an empty list if the name before was another one and is given up.
local before = redis.call('HGET', KEYS[1], 'name')
if ARGV[2] == '' and not before then
	return false
end
if ARGV[1] ~= '' and (before or '') ~= ARGV[5] then
	return {}
end
for i, field in ipairs({'name', 'created', 'guest'}) do
	if ARGV[i] ~= '' then
		redis.call('HSET', KEYS[1], field, ARGV[i])
	end
end
local validfrom = redis.call('HGET', KEYS[1], 'validfrom') or '0'
if tonumber(ARGV[4]) > tonumber(validfrom) then
	validfrom = ARGV[4]
end
redis.call('HSET', KEYS[1], 'validfrom', validfrom)
if ARGV[1] ~= '' and before ~= ARGV[1] then
	redis.call('HINCRBY', KEYS[1], 'rev', 1)
end
return redis.call('HMGET', KEYS[1], 'name', 'created', 'rev', 'guest', 'validfrom')
