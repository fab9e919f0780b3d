"""The cluster's budget: one bucket, one set of slots and one circuit per host, in Redis.

Every decision is one script, so that no two workers decide at the same time, and in Redis's
own time, so that their clocks may differ. All keys have a deadline.
"""

from __future__ import annotations

from redis.asyncio import Redis

from engine.adapters.sources.pace import Breaker, Kind, Outcome, Pace, Verdict

# Longer than any pause or open circuit.
_STATE_SECONDS = 7_200

# Times are microseconds: exact in the 53 bits of a Lua number.
_TAKE = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local interval, burst, slots = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local lease, lease_time = ARGV[4], tonumber(ARGV[5])
local state = redis.call('HMGET', KEYS[1], 'turn_at', 'paused_until', 'open_until', 'probe_until')
local turn_at, paused_until = tonumber(state[1] or 0), tonumber(state[2] or 0)
local open_until, probe_until = tonumber(state[3] or 0), tonumber(state[4] or 0)

if open_until > now then return {'open', open_until - now} end
if open_until > 0 and probe_until > now then return {'open', probe_until - now} end
if paused_until > now then return {'paused', paused_until - now} end
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)
if redis.call('ZCARD', KEYS[2]) >= slots then
  local first = redis.call('ZRANGE', KEYS[2], 0, 0, 'WITHSCORES')
  return {'wait', math.min(first[2] - now, 50000)}
end
local early = turn_at - now - (burst - 1) * interval
if early > 0 then return {'wait', math.ceil(early)} end

redis.call('HSET', KEYS[1], 'turn_at', math.max(now, turn_at) + interval)
if open_until > 0 then
  redis.call('HSET', KEYS[1], 'probe_until', now + lease_time, 'probe', lease)
end
redis.call('EXPIRE', KEYS[1], ARGV[6])
redis.call('ZADD', KEYS[2], now + lease_time, lease)
redis.call('PEXPIRE', KEYS[2], math.ceil(lease_time / 1000) + 1000)
return {'go', 0}
"""

_GIVE_BACK = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local lease, outcome, pause, failures_max = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local open_time, open_time_max = tonumber(ARGV[5]), tonumber(ARGV[6])
local state = redis.call('HMGET', KEYS[1], 'paused_until', 'open_until', 'probe')
local paused_until, open_until = tonumber(state[1] or 0), tonumber(state[2] or 0)

redis.call('ZREM', KEYS[2], lease)
if pause > 0 and now + pause > paused_until then
  redis.call('HSET', KEYS[1], 'paused_until', now + pause)
end
if outcome == 'good' then
  redis.call('HDEL', KEYS[1], 'failures', 'opened', 'open_until', 'probe_until', 'probe')
elseif outcome == 'bad' and open_until <= now then
  local failures = redis.call('HINCRBY', KEYS[1], 'failures', 1)
  if failures >= failures_max or open_until > 0 then
    local opened = redis.call('HINCRBY', KEYS[1], 'opened', 1)
    local open = math.min(open_time * 2 ^ math.min(opened - 1, 30), open_time_max)
    redis.call('HSET', KEYS[1], 'open_until', now + math.floor(open))
    redis.call('HDEL', KEYS[1], 'probe_until', 'probe')
  end
elseif state[3] == lease then
  redis.call('HDEL', KEYS[1], 'probe_until', 'probe')
end
redis.call('EXPIRE', KEYS[1], ARGV[7])
return 1
"""


_KINDS: dict[bytes, Kind] = {b"go": "go", b"wait": "wait", b"paused": "paused", b"open": "open"}


class RedisBudget:
    """Over a connection that does not decode. Raises RedisError when Redis is away."""

    def __init__(self, redis: Redis) -> None:
        self._take = redis.register_script(_TAKE)
        self._give_back = redis.register_script(_GIVE_BACK)

    async def take(self, host: str, pace: Pace, lease: str, lease_seconds: float) -> Verdict:
        interval = _microseconds(pace.interval_seconds)
        kind, microseconds = await self._take(
            keys=_keys(host),
            args=[interval, pace.burst, pace.concurrency, lease, _microseconds(lease_seconds),
                  _STATE_SECONDS],
        )  # fmt: skip
        return Verdict(_KINDS[kind], microseconds / 1e6)

    async def give_back(
        self, host: str, lease: str, outcome: Outcome, pause_seconds: float, breaker: Breaker
    ) -> None:
        await self._give_back(
            keys=_keys(host),
            args=[lease, outcome, _microseconds(pause_seconds), breaker.failures_max,
                  _microseconds(breaker.open_seconds), _microseconds(breaker.open_seconds_max),
                  _STATE_SECONDS],
        )  # fmt: skip


def _keys(host: str) -> list[str]:
    # The braces keep both keys on one node of a Redis Cluster.
    return [f"polite:{{{host}}}:state", f"polite:{{{host}}}:slots"]


def _microseconds(seconds: float) -> int:
    return round(seconds * 1e6)
