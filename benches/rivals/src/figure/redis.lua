-- GCRA on the server's clock. KEYS[1]: the key; ARGV: units at once, microseconds for each unit.
-- Answers whether it is allowed, units left, and microseconds until a refused one may come back.
local burst = tonumber(ARGV[1])
local each_us = tonumber(ARGV[2])
local time = redis.call('TIME')
local now_us = time[1] * 1000000 + time[2]
local full_us = math.max(tonumber(redis.call('GET', KEYS[1]) or 0), now_us)
local next_us = full_us + each_us
local ahead_us = next_us - burst * each_us - now_us
if ahead_us > 0 then
    return {0, 0, ahead_us}
end
redis.call('SET', KEYS[1], string.format('%d', next_us), 'PX', math.ceil((next_us - now_us) / 1000))
return {1, math.floor(-ahead_us / each_us), 0}
