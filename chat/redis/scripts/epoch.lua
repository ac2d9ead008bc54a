-- Epochs that follow one another (epoch.go). Part of the scripts that begin one, where it is not
-- often needed; salt is four random digits of the caller's.
local function rank(epoch)
	if epoch and string.match(epoch, '^[01]%w+$') and #epoch == 13 then
		return tonumber(string.sub(epoch, 1, 9), 36), tonumber(string.sub(epoch, 10), 36)
	end
	return 0, 0
end

-- Whether one epoch is later than the other.
local function later(a, b)
	local at, digits = rank(a)
	local before, others = rank(b)
	return at > before or at == before and digits > others
end

-- A new epoch, later than two others.
local function begin(a, b)
	local t = redis.call('TIME')
	local at = math.max(t[1] * 1000 + math.floor(t[2] / 1000), rank(a) + 1, rank(b) + 1)
	local text = ''
	for _ = 1, 9 do
		local digit = at % 36
		text = string.sub('0123456789abcdefghijklmnopqrstuvwxyz', digit + 1, digit + 1) .. text
		at = (at - digit) / 36
	end
	return text .. salt
end
