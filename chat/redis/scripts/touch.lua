#!lua flags=allow-oom
-- Writes something that goes to replicas, also if the memory is full: to wait for what was read must
-- be possible then.
--
-- KEYS: any key of the server that nothing else uses
redis.call('SET', KEYS[1], '', 'PX', 1000)
return 1
