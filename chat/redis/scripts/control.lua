-- Tells all nodes something that they must not miss.
--
-- KEYS: stream, channel
-- ARGV: what, how many to keep
local id = redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[2], '*', 'w', ARGV[1])
redis.call('SPUBLISH', KEYS[2], 'x' .. id)
return id
