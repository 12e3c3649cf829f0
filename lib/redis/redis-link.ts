import { EventEmitter, once } from 'node:events'
import { Cluster, type Redis } from 'ioredis'
import { withinMs } from '../timing/within-ms.js'
import { InFlight, TimeoutError } from './in-flight.js'
import { allMasters, askMaster, connectedMasters, masterName, type MasterState } from './masters.js'
import { createRedisClient, type RedisClient } from './redis-client.js'
import { meansUnavailable, RedisUnavailableError, RedisUnreachableError, withoutCommand } from './redis-errors.js'
import { parseRedisUrl, redisPlace } from './redis-url.js'

export type { RedisClient } from './redis-client.js'
export { RedisUnavailableError, RedisUnreachableError } from './redis-errors.js'

export interface RedisLinkOptions {
  /** As `parseRedisUrl` takes it. */
  url: string
  /** Milliseconds for Redis to answer. */
  timeoutMs: number
  /** How Redis lists the connections (`CLIENT LIST`). Default: `mics`. */
  name?: string
  /** Milliseconds between two looks at every master: is it there, and is it the same process? Default: 1000. */
  probeIntervalMs?: number
}

export interface RedisLinkEvents {
  /** Redis answers again. */
  up: []
  /** Redis does not answer. */
  down: []
  /**
   * A Redis process was replaced or restarted, so that what was in it may be gone. In a Redis Cluster once for each
   * master, and also for one that is new. Comes after `up`, where both do.
   */
  restarted: []
}

/** Milliseconds until a client that has given up is started again. */
const REVIVAL_DELAY_MS = 500

/**
 * The connection to Redis and whether it works. While it does not, calls fail at once instead of each waiting for its
 * own timeout, and connecting goes on.
 *
 * It is up while a master answers and serves. A single Redis, one behind Sentinel too, is down when the connection
 * breaks or a call has timed out; it is then connected to anew. Of a Redis Cluster one master may be away: calls for
 * its slots fail, after `timeoutMs` at the latest, others go on. The cluster is down when none is left that considers
 * it in order (`cluster_state`).
 */
export class RedisLink extends EventEmitter<RedisLinkEvents> {
  private readonly client: RedisClient
  private readonly place: string
  private readonly timeoutMs: number
  private readonly calls: InFlight
  private readonly probes: InFlight
  private readonly failureCounts = new Map<string, number>()
  /** What is known of each master. One that is away for a time keeps its entry. */
  private readonly masters = new Map<string, MasterState>()
  private readonly beingAsked = new Set<Redis>()
  private readonly timer: NodeJS.Timeout
  private downAt: number | undefined = performance.now()
  /** Whether all masters have been asked once: only from then on is one that is not known a new one. */
  private isAcquainted = false
  private isClosed = false
  private lastError: unknown

  constructor ({ url, timeoutMs, name = 'mics', probeIntervalMs = 1000 }: RedisLinkOptions) {
    super()
    const parsed = parseRedisUrl(url)
    this.place = redisPlace(parsed)
    this.timeoutMs = timeoutMs
    this.calls = new InFlight(timeoutMs)
    this.probes = new InFlight(timeoutMs)
    this.client = createRedisClient(parsed, timeoutMs, name)
    this.client.on('error', error => { this.lastError = withoutCommand(error) })
    this.client.on('ready', () => { this.probe() })
    this.client.on('close', () => this.lost())
    this.client.on('end', () => this.revive())
    if (this.client instanceof Cluster) this.followNodes(this.client)
    this.timer = setInterval(() => { this.probe() }, probeIntervalMs).unref()
  }

  /** Whether calls are worth making. */
  get isUp (): boolean {
    return this.downAt === undefined
  }

  /** When it went down, or was made, milliseconds of `performance.now()`; undefined while it is up. */
  get downSince (): number | undefined {
    return this.downAt
  }

  /** Calls that failed, by operation; those that an error of Redis's own answered, too. */
  get failures (): ReadonlyMap<string, number> {
    return this.failureCounts
  }

  /** Calls that wait for an answer. */
  get inFlight (): number {
    return this.calls.size
  }

  /**
   * Connects, and keeps connected from then on.
   * @param withinMs for Redis to answer
   * @throws {RedisUnreachableError} when it has not; the link is closed then.
   */
  async connect (withinMs: number): Promise<void> {
    this.start()
    try {
      if (!this.isUp) await once(this, 'up', { signal: AbortSignal.timeout(withinMs) })
    } catch {
      // Out of time. What was in the way is told by the client's own error.
      await this.close()
      throw new RedisUnreachableError(this.place, this.lastError)
    }
  }

  /**
   * Runs commands. Commands of one turn of the event loop share a write.
   * @param operation what they are for, a word of a small fixed set: failures are counted by it
   * @throws {RedisUnavailableError} at once where the link is down, else when Redis did not answer in time or cannot
   *   serve. Another error that Redis itself answered with is passed on as it is.
   */
  async run<T> (operation: string, commands: (redis: RedisClient) => Promise<T>): Promise<T> {
    try {
      if (!this.isUp) throw new Error('the link to Redis is down', { cause: this.lastError })
      return await this.calls.wait(commands(this.client))
    } catch (error) {
      this.failureCounts.set(operation, (this.failureCounts.get(operation) ?? 0) + 1)
      if (error instanceof TimeoutError) this.timedOut(error)
      withoutCommand(error)
      throw meansUnavailable(error) ? new RedisUnavailableError(operation, { cause: error }) : error
    }
  }

  /** Lets calls under way be answered, and disconnects. */
  async close (): Promise<void> {
    if (this.isClosed) return
    this.isClosed = true
    clearInterval(this.timer)
    // Not only answered: handed on to whoever called, too, which takes a few turns of promises more. For as long as a
    // call may take: who keeps calling keeps nothing open.
    await withinMs(this.timeoutMs, this.calls.idle())
    if (this.isUp) {
      try {
        await this.probes.wait(this.client.quit())
      } catch (error) {
        this.lastError = withoutCommand(error) // it is being left anyway
      }
    }
    this.client.disconnect()
    this.goDown()
  }

  private start (): void {
    this.client.connect().catch(error => {
      // The client goes on trying by itself. Of this error and that of its event, the event has the cause.
      this.lastError ??= withoutCommand(error)
    })
  }

  /** ioredis gives up where it cannot even begin to connect. There is no case known; one would be for ever. */
  private revive (): void {
    this.lost()
    if (this.isClosed) return
    setTimeout(() => { if (!this.isClosed && this.client.status === 'end') this.start() }, REVIVAL_DELAY_MS).unref()
  }

  private followNodes (cluster: Cluster): void {
    cluster.on('node error', error => { this.lastError = withoutCommand(error) })
    cluster.on('+node', (node: Redis) => { if (cluster.status === 'ready') this.ask(masterName(cluster, node), node) })
    cluster.on('-node', (node: Redis) => this.silent(masterName(cluster, node)))
  }

  /** Asks every master, and forgets those that are none any more. */
  private async probe (): Promise<void> {
    if (this.client.status !== 'ready') return
    const names = allMasters(this.client)
    for (const name of this.masters.keys()) if (!names.has(name)) this.masters.delete(name)
    await Promise.all(connectedMasters(this.client).map(async ([name, master]) => await this.ask(name, master)))
    this.isAcquainted ||= this.isAnyServing
    this.judge()
  }

  private async ask (name: string, master: Redis): Promise<void> {
    if (this.isClosed || this.beingAsked.has(master)) return
    this.beingAsked.add(master)
    try {
      this.answered(name, await this.probes.wait(askMaster(this.client, master)))
    } catch (error) {
      this.lastError = withoutCommand(error)
      this.silent(name)
      // It hangs, or the network swallows what is sent: only a new connection finds out when it is back.
      if (error instanceof TimeoutError) cut(master)
    } finally {
      this.beingAsked.delete(master)
    }
  }

  private answered (name: string, state: MasterState): void {
    const isOther = this.masters.get(name)?.runId !== state.runId
    this.masters.set(name, state)
    this.judge()
    if (isOther && this.isAcquainted) this.emit('restarted')
  }

  private silent (name: string): void {
    const known = this.masters.get(name)
    if (known !== undefined) this.masters.set(name, { ...known, isServing: false })
    this.judge()
  }

  private timedOut (error: TimeoutError): void {
    this.lastError = error
    // Which master it was is not known here.
    if (this.client instanceof Cluster) this.probe()
    // Calls that were sent together time out together: the first ends the connection.
    else if (this.isUp) {
      this.lost()
      cut(this.client)
    }
  }

  private lost (): void {
    for (const name of this.masters.keys()) this.silent(name)
  }

  private get isAnyServing (): boolean {
    return [...this.masters.values()].some(({ isServing }) => isServing)
  }

  private judge (): void {
    if (!this.isAnyServing) this.goDown()
    else if (!this.isUp && this.isAcquainted && !this.isClosed) {
      this.downAt = undefined
      this.emit('up')
    }
  }

  private goDown (): void {
    if (!this.isUp) return
    this.downAt = performance.now()
    this.calls.abort(new Error('the connection to Redis was lost', { cause: this.lastError }))
    if (!this.isClosed) this.emit('down')
  }
}

/** Ends a connection; the client makes a new one by itself. One that is being made is left to its own timeouts. */
function cut (redis: Redis): void {
  if (redis.status === 'ready') redis.disconnect(true)
}
