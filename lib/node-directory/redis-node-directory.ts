import { deadMembersKey, leasesKey, memberInfoKey } from '../redis/keys.js'
import type { RedisLink } from '../redis/redis-link.js'
import { Script } from '../redis/script.js'
import { parseMemberKey, type Claim, type LeaseView, type Renewal } from './lease.js'
import { LeasedNodeDirectory, type NodeDirectoryOptions } from './leased-node-directory.js'
import type { Member } from './node-directory.js'

const keys: [string, string, string] = [leasesKey, memberInfoKey, deadMembersKey]

/** Milliseconds; by the clock of Redis alone, so that those of the nodes may differ. */
const now = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local leases, infos, dead = KEYS[1], KEYS[2], KEYS[3]
`

const membersThere = `
local members = redis.call('ZRANGEBYSCORE', leases, string.format('(%d', now), '+inf')
local memberInfos = #members > 0 and redis.call('HMGET', infos, unpack(members)) or {}
`

const readScript = new Script(`${now}${membersThere}
return { 0, members, memberInfos }
`)

/**
 * Ends the leases that have run out, then extends the caller's, or begins another where it has none. Next to the
 * members the hash has the time of the last renewal; its name cannot be a member's, which have a '#'.
 */
const renewScript = new Script(`${now}
local nodeId, incarnation, nextIncarnation, processId, endpoint, isDraining, leaseMs, claimMs, mayClaim = unpack(ARGV)
local key = nodeId .. '#' .. incarnation
local holds = redis.call('ZSCORE', leases, key)

-- Time in which nobody renewed ends no lease: most likely nobody could. Nor does a clock that was set back prolong one.
local gap = now - tonumber(redis.call('HGET', infos, 'renewedAt') or now)
if gap < 0 or (gap > leaseMs / 2 and holds) then
  for _, member in ipairs(redis.call('ZRANGE', leases, 0, -1)) do redis.call('ZINCRBY', leases, gap, member) end
end
redis.call('HSET', infos, 'renewedAt', string.format('%d', now))

for _, member in ipairs(redis.call('ZRANGEBYSCORE', leases, '-inf', now)) do
  redis.call('ZREM', leases, member)
  redis.call('HDEL', infos, member)
  redis.call('ZADD', dead, now, member)
end

if not redis.call('ZSCORE', leases, key) then
  -- What was on its way when the lease ended may come after the burial: there is another one.
  if incarnation ~= '0' then redis.call('ZADD', dead, now + claimMs, key) end
  incarnation = tonumber(nextIncarnation)
  local isJoined = false
  for _, set in ipairs({ leases, dead }) do
    for _, member in ipairs(redis.call('ZRANGE', set, 0, -1)) do
      local itsNode, itsIncarnation = string.match(member, '^(.*)#(%d+)$')
      if itsNode == nodeId and not isJoined then
        local info = set == leases and redis.call('HGET', infos, member)
        -- The answer to an earlier attempt was lost.
        isJoined = info and cjson.decode(info).processId == processId
        if isJoined then incarnation = tonumber(itsIncarnation)
        elseif tonumber(itsIncarnation) >= incarnation then incarnation = itsIncarnation + 1 end
      end
    end
  end
  key = nodeId .. '#' .. string.format('%d', incarnation)
end
redis.call('ZADD', leases, now + leaseMs, key)
redis.call('HSET', infos, key,
  cjson.encode({ endpoint = endpoint, isDraining = isDraining == '1', processId = processId }))
${membersThere}
local claimed = mayClaim == '1' and redis.call('ZRANGEBYSCORE', dead, '-inf', now, 'LIMIT', 0, 1)[1]
if not claimed then return { tonumber(incarnation), members, memberInfos } end
redis.call('ZADD', dead, now + claimMs, claimed)
return { tonumber(incarnation), members, memberInfos, claimed, now + claimMs }
`)

const endScript = new Script(`${now}
local key = ARGV[1]
redis.call('HDEL', infos, key)
if redis.call('ZREM', leases, key) == 1 then redis.call('ZADD', dead, now, key) end
`)

const settleScript = new Script(`${now}
local key, untilTime = ARGV[1], ARGV[2]
if tonumber(redis.call('ZSCORE', dead, key)) == tonumber(untilTime) then redis.call('ZREM', dead, key) end
`)

interface MemberInfo {
  endpoint: string
  isDraining: boolean
}

/** The nodes that share one Redis. */
export class RedisNodeDirectory extends LeasedNodeDirectory {
  private readonly onUp = (): void => this.refreshSoon()
  private readonly onRestarted = (): void => this.storeWasReplaced()

  constructor (private readonly link: RedisLink, options: NodeDirectoryOptions) {
    super(options)
    link.on('up', this.onUp)
    link.on('restarted', this.onRestarted)
  }

  protected get isReachable (): boolean {
    return this.link.isUp
  }

  override close (): void {
    super.close()
    this.link.off('up', this.onUp)
    this.link.off('restarted', this.onRestarted)
  }

  protected async renew (renewal: Renewal | undefined): Promise<LeaseView> {
    const [incarnation, members, infos, memberKey, until] = await this.link.run('members', redis =>
      renewal === undefined ? readScript.run(redis, keys) : renewScript.run(redis, keys, argumentsOf(renewal))
    ) as [number, string[], Array<string | null>, string?, number?]
    return {
      incarnation,
      members: members.flatMap((key, index) => parseMember(key, infos[index]) ?? []),
      claim: memberKey !== undefined && until !== undefined ? { memberKey, until } : undefined,
    }
  }

  protected async end (memberKey: string): Promise<void> {
    await this.link.run('members', redis => endScript.run(redis, keys, [memberKey]))
  }

  protected async settle ({ memberKey, until }: Claim): Promise<void> {
    await this.link.run('members', redis => settleScript.run(redis, keys, [memberKey, until]))
  }
}

function argumentsOf (renewal: Renewal): Array<string | number> {
  const { nodeId, incarnation, nextIncarnation, processId, endpoint, isDraining, leaseMs, claimMs, mayClaim } = renewal
  return [
    nodeId, incarnation, nextIncarnation, processId, endpoint, isDraining ? '1' : '0', leaseMs, claimMs, mayClaim ? '1' : '0',
  ]
}

function parseMember (key: string, info: string | null): Member | undefined {
  const parts = parseMemberKey(key)
  if (parts === undefined || info === null) return undefined
  const { endpoint, isDraining } = JSON.parse(info) as MemberInfo
  return { key, ...parts, endpoint, isDraining }
}
