import type { NodeDirectory } from '../node-directory/node-directory.js'
import { tokensKey } from '../redis/keys.js'
import type { RedisLink } from '../redis/redis-link.js'
import { Script } from '../redis/script.js'
import type { RateLimit } from './rate-limit.js'
import { INTERVAL_MS, TokenStock, type Grant, type TokenSource } from './token-stock.js'

/**
 * A bucket of one second's worth of tokens, in one number: when it will be full again, in microseconds of Redis' own
 * clock. A bucket that is full needs no key. A negative wish puts tokens back.
 */
const TAKE = new Script(`
local rate, want = tonumber(ARGV[1]), tonumber(ARGV[2])
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local fullAt = tonumber(redis.call('GET', KEYS[1]) or now)
-- A clock that was set back must not hold up anybody for longer than the bucket takes to fill.
local missing = math.min(math.max(fullAt - now, 0), 1000000) * rate / 1000000
local granted = math.min(want, math.floor(rate - missing))
missing = missing + granted
if missing > 0 then
  local fillMicros = missing * 1000000 / rate
  redis.call('SET', KEYS[1], string.format('%.0f', now + fillMicros), 'PX', math.ceil(fillMicros / 1000))
else
  redis.call('DEL', KEYS[1])
end
local left = rate - missing
return { granted, math.ceil((math.floor(left) + 1 - left) * 1000 / rate) }
`)

export interface RedisRateLimitOptions {
  /** Told of each failed call. */
  onError?: (error: unknown) => void
  /** Milliseconds that only go forward. */
  now?: () => number
  random?: () => number
}

/**
 * Messages a second of each tenant, over all members: a token bucket in Redis of which each member takes some in
 * advance, see TokenStock. Under load that is about ten round trips a second for each tenant and member.
 *
 * While Redis cannot be reached a member passes its share by itself: the limit divided by the number of live members.
 * So the sum stays below the limit, and a tenant whose clients are with few members gets less than its limit.
 */
export class RedisRateLimit implements RateLimit {
  /** Messages that were answered without Redis. */
  degraded = 0
  /** Round trips to Redis. */
  fetches = 0
  private readonly stocks = new Map<string, TokenStock>()
  private readonly sweeps: NodeJS.Timeout
  private readonly now: () => number
  private readonly random: () => number
  private readonly onError: (error: unknown) => void

  constructor (
    private readonly link: Pick<RedisLink, 'isUp' | 'run'>,
    private readonly directory: Pick<NodeDirectory, 'members'>,
    { onError = () => {}, now = () => performance.now(), random = Math.random }: RedisRateLimitOptions = {}
  ) {
    this.onError = onError
    this.now = now
    this.random = random
    this.sweeps = setInterval(() => this.sweep(), INTERVAL_MS).unref()
  }

  /** Tenants that sent something in the last seconds. */
  get tenants (): number {
    return this.stocks.size
  }

  take (tenantId: string, qps: number): boolean | Promise<boolean> {
    if (qps === 0) return true
    let stock = this.stocks.get(tenantId)
    if (stock === undefined) {
      stock = new TokenStock(this.sourceOf(tenantId), this.now, this.random)
      this.stocks.set(tenantId, stock)
    }
    return stock.take(qps)
  }

  forget (tenantId: string): void {
    this.stocks.delete(tenantId)
  }

  /** Stops giving back what is not used. */
  close (): void {
    clearInterval(this.sweeps)
  }

  private sweep (): void {
    for (const [tenantId, stock] of this.stocks) {
      stock.sweep()
      if (stock.isIdle) this.stocks.delete(tenantId)
    }
  }

  private sourceOf (tenantId: string): TokenSource {
    const { link, onError } = this
    const change = async (qps: number, want: number): Promise<Grant> => {
      this.fetches++
      const [granted, nextMs] = await link.run('rate limit',
        redis => TAKE.run(redis, [tokensKey(tenantId)], [qps, want])) as [number, number]
      return { granted, nextMs }
    }
    return {
      get isUp () { return link.isUp },
      fetch: (qps, want) => change(qps, want).catch(error => {
        onError(error)
        throw error
      }),
      giveBack: (qps, tokens) => {
        // Where that fails they are lost, and the bucket fills up by itself.
        if (link.isUp) change(qps, -tokens).catch(onError)
      },
      localRate: qps => qps / Math.max(this.directory.members().length, 1),
      onLocal: () => { this.degraded++ },
    }
  }
}
