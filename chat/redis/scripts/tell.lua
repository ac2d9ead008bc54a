-- Adds an entry to the control stream, of which about so many are kept. The first one of a new stream
-- has the caller's salt in its id: after a flush, no entry has the id of one from before, even within
-- the same millisecond, and a node notices that the stream is a new one (control.go).
local function tell(stream, keep, salt, what)
	local id = '*'
	if redis.call('EXISTS', stream) == 0 then
		local t = redis.call('TIME')
		id = string.format('%.0f-', t[1] * 1000 + math.floor(t[2] / 1000)) .. salt
	end
	return redis.call('XADD', stream, 'MAXLEN', '~', keep, id, 'w', what)
end

