-- Reads some of a conversation's stream together with its tail.
--
-- KEYS: tails of the partition, stream of the conversation
-- ARGV: conversation, first and last id, how many, and "1" to take the last ones, backwards
local have = redis.call('HMGET', KEYS[1], '#', ARGV[1])
if ARGV[5] == '1' then
	have[3] = redis.call('XREVRANGE', KEYS[2], ARGV[3], ARGV[2], 'COUNT', ARGV[4])
else
	have[3] = redis.call('XRANGE', KEYS[2], ARGV[2], ARGV[3], 'COUNT', ARGV[4])
end
return have
