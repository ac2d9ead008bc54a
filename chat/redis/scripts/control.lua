-- Tells all nodes something that they must not miss.
--
-- KEYS: stream, channel
-- ARGV: what, how many to keep, the salt of a new stream
local id = tell(KEYS[1], ARGV[2], ARGV[3], ARGV[1])
redis.call('SPUBLISH', KEYS[2], 'x' .. id)
return id
