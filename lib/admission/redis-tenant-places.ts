import type { NodeDirectory } from '../node-directory/node-directory.js'
import { connectionsKey } from '../redis/keys.js'
import type { RedisLink } from '../redis/redis-link.js'
import { Script } from '../redis/script.js'
import type { TenantPlaces } from './tenant-places.js'

/**
 * KEYS[1] hash: member → places it has taken. ARGV: this member, its places, how many more it wants, the limit, the
 * other live members. Returns how many more it has.
 */
const TAKE = new Script(`
local held = tonumber(ARGV[2])
local total = held
if #ARGV > 4 then
  for _, count in ipairs(redis.call('HMGET', KEYS[1], unpack(ARGV, 5))) do total = total + (tonumber(count) or 0) end
end
local granted = math.max(math.min(tonumber(ARGV[3]), tonumber(ARGV[4]) - total), 0)
if held + granted > 0 then
  redis.call('HSET', KEYS[1], ARGV[1], held + granted)
else
  redis.call('HDEL', KEYS[1], ARGV[1])
end
return granted
`)

/** Connections of a tenant that may wait for an answer; the handshake gate lets in fewer. */
const MAX_WAITING = 10_000

/** Tenants written at one time, so that no single write is large. */
const CHUNK = 500

interface Waiting {
  limit: number
  answer: (isTaken: boolean) => void
}

/** One tenant's places on this node. */
class Places {
  held = 0
  /** What Redis was told; undefined: who knows. */
  said: number | undefined = 0
  /** The member under which it was told. */
  saidAs: string | undefined
  /** Redis may have forgotten since. */
  mustSayAgain = false
  waiting: Waiting[] = []
  /** The calls that are being made: one after the other, so that no count overtakes a newer one. */
  running: Promise<void> | undefined

  get isSettled (): boolean {
    return this.waiting.length === 0 && this.said === this.held && !this.mustSayAgain
  }
}

/**
 * How many connections each tenant has, over all members: each writes its own count, a number it knows itself, so that
 * nothing drifts. The count is asked for and written in one script, so that a limit is exact; connections that come in
 * one turn of the event loop share a call. Where there is no limit to keep, and when places are given back, the count
 * is written at the end of the turn and nobody waits for it.
 *
 * While Redis cannot be reached only this node's own count is held against the limit. What could not be written is
 * written with the next change, and when the link is up again.
 */
export class RedisTenantPlaces implements TenantPlaces {
  /** Places given without knowing how many the other members have. */
  degraded = 0
  private readonly tenants = new Map<string, Places>()
  /** To be looked at when the turn of the event loop ends. */
  private readonly changed = new Set<string>()
  private turnEnd: NodeJS.Immediate | undefined
  private readonly onUp = (): void => this.writeAll()

  /** @param onError told of each failed call */
  constructor (
    private readonly link: Pick<RedisLink, 'isUp' | 'run' | 'on' | 'off'>,
    private readonly directory: Pick<NodeDirectory, 'self' | 'members'>,
    private readonly onError: (error: unknown) => void = () => {}
  ) {
    link.on('up', this.onUp)
  }

  take (tenantId: string, limit: number): boolean | Promise<boolean> {
    let places = this.tenants.get(tenantId)
    if (places === undefined) this.tenants.set(tenantId, places = new Places())
    if (limit === 0) {
      this.change(tenantId, places, 1)
      return true
    }
    if (places.held >= limit || places.waiting.length >= MAX_WAITING) return false
    if (!this.link.isUp && places.waiting.length === 0) {
      const isTaken = this.takeLocally(places, limit)
      this.runLater(tenantId)
      return isTaken
    }
    const { waiting } = places
    return new Promise(resolve => {
      waiting.push({ limit, answer: resolve })
      this.runLater(tenantId)
    })
  }

  release (tenantId: string): void {
    const places = this.tenants.get(tenantId)
    if (places !== undefined && places.held > 0) this.change(tenantId, places, -1)
  }

  async assert (): Promise<void> {
    const all = [...this.tenants]
    for (let start = 0; start < all.length; start += CHUNK) {
      await Promise.all(all.slice(start, start + CHUNK).map(async ([tenantId, places]) => {
        places.mustSayAgain = true
        await this.run(tenantId, places)
      }))
    }
  }

  async bury (memberKey: string, tenantIds: Iterable<string>): Promise<void> {
    const all = [...tenantIds]
    for (let start = 0; start < all.length; start += CHUNK) {
      await Promise.all(all.slice(start, start + CHUNK).map(tenantId =>
        this.link.run('tenant places', redis => redis.hdel(connectionsKey(tenantId), memberKey))))
    }
  }

  /** Writes no more. */
  close (): void {
    this.link.off('up', this.onUp)
    clearImmediate(this.turnEnd)
  }

  private takeLocally (places: Places, limit: number): boolean {
    if (places.held >= limit) return false
    this.degraded++
    places.held++
    return true
  }

  private change (tenantId: string, places: Places, by: 1 | -1): void {
    places.held += by
    this.runLater(tenantId)
  }

  private writeAll (): void {
    for (const tenantId of this.tenants.keys()) this.runLater(tenantId)
  }

  private runLater (tenantId: string): void {
    this.changed.add(tenantId)
    this.turnEnd ??= setImmediate(() => {
      this.turnEnd = undefined
      for (const id of this.changed) {
        const places = this.tenants.get(id)
        if (places !== undefined) this.run(id, places).catch(this.onError)
      }
      this.changed.clear()
    })
  }

  /** Asks and writes until nothing is left to do. Rejects where Redis does not know the count now. */
  private run (tenantId: string, places: Places): Promise<void> {
    if (places.running === undefined && !places.isSettled) places.running = this.work(tenantId, places)
    if (places.running !== undefined) return places.running
    if (places.held === 0) this.tenants.delete(tenantId)
    return Promise.resolve()
  }

  private async work (tenantId: string, places: Places): Promise<void> {
    let failure: unknown
    while (!places.isSettled) {
      if (places.waiting.length > 0) failure = await this.ask(tenantId, places)
      else if (failure === undefined) failure = await this.write(tenantId, places)
      else break
    }
    places.running = undefined
    if (failure !== undefined) throw failure
    if (places.held === 0) this.tenants.delete(tenantId)
  }

  /** For the first who wait, as far as they have one limit. Returns what failed; they are answered in any case. */
  private async ask (tenantId: string, places: Places): Promise<unknown> {
    const { limit } = places.waiting[0]
    const end = places.waiting.findIndex(waiting => waiting.limit !== limit)
    const batch = places.waiting.splice(0, end === -1 ? places.waiting.length : end)
    const { key } = this.directory.self
    const others = this.directory.members().map(member => member.key).filter(other => other !== key)
    const said = places.held
    try {
      const granted = Number(await this.link.run('tenant places', redis =>
        TAKE.run(redis, [connectionsKey(tenantId)], [key, said, batch.length, limit, ...others])))
      places.held += granted
      places.saidAs ??= key
      places.said = places.saidAs === key ? said + granted : undefined
      for (const [index, { answer }] of batch.entries()) answer(index < granted)
      return undefined
    } catch (error) {
      places.said = undefined
      for (const { answer } of batch) answer(this.takeLocally(places, limit))
      return error
    }
  }

  private async write (tenantId: string, places: Places): Promise<unknown> {
    const { key } = this.directory.self
    const { held, saidAs } = places
    const hash = connectionsKey(tenantId)
    places.mustSayAgain = false
    try {
      await this.link.run('tenant places', redis => Promise.all([
        held > 0 ? redis.hset(hash, key, held) : redis.hdel(hash, key),
        saidAs !== undefined && saidAs !== key ? redis.hdel(hash, saidAs) : 0,
      ]))
      places.said = held
      places.saidAs = key
      return undefined
    } catch (error) {
      places.said = undefined
      return error
    }
  }
}
