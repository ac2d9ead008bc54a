-- Stores a user. Fields of the record that are not known here stay. When tokens became valid only
-- moves on.
--
-- KEYS: the user
-- ARGV: name, created, "1" for a guest, when tokens became valid
--
-- Returns the name before, or nothing, and the revision of the name.
local before = redis.call('HGET', KEYS[1], 'name')
local validfrom = redis.call('HGET', KEYS[1], 'validfrom') or '0'
if tonumber(ARGV[4]) > tonumber(validfrom) then
	validfrom = ARGV[4]
end
redis.call('HSET', KEYS[1], 'name', ARGV[1], 'created', ARGV[2], 'guest', ARGV[3], 'validfrom', validfrom)
if before == ARGV[1] then
	return {before, redis.call('HGET', KEYS[1], 'rev') or '0'}
end
return {before, tostring(redis.call('HINCRBY', KEYS[1], 'rev', 1))}
