-- Records that a user is connected to a node, or no longer is.
--
-- KEYS: nodes of the user, what the node has in the partition
-- ARGV: node, user, "1" or "0"
if ARGV[3] == '1' then
	redis.call('HSET', KEYS[1], ARGV[1], '')
	redis.call('SADD', KEYS[2], ' ' .. ARGV[2])
else
	redis.call('HDEL', KEYS[1], ARGV[1])
	redis.call('SREM', KEYS[2], ' ' .. ARGV[2])
end
return 1
