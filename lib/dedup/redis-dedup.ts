import type { NodeDirectory } from '../node-directory/node-directory.js'
import type { Message } from '../protocol/message.js'
import { AckReason } from '../protocol/server-errors.js'
import { dedupKey } from '../redis/keys.js'
import type { RedisLink } from '../redis/redis-link.js'
import { Script } from '../redis/script.js'
import { failed, inFlight, parseCopyState, sent, type CopyState } from './copy-state.js'
import { DEDUP_WINDOW_MS, type Dedup, type FirstOutcome, type Reservation, type Reserved } from './dedup.js'
import type { MemoryDedup } from './memory-dedup.js'
import { OutcomeWatch, UNKNOWN_OUTCOME } from './outcome-watch.js'

/** Reserves what is free, failed, or held by the reservation ARGV[3]; else returns who holds it. */
const RESERVE = new Script(`
local held = redis.call('GET', KEYS[1])
if held and held ~= ARGV[3] and string.sub(held, 1, 1) ~= 'f' then return held end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return false
`)

/** Puts the failure in place of its reservation, should that still be there. */
const RELEASE = new Script(`
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) end
return false
`)

/** Milliseconds for which copies that wait can learn of a failure; they look more often than that. */
const FAILURE_KEPT_MS = 2000

/** Milliseconds for which an outcome is waited for after its reservation must have ended. */
const GRACE_MS = 1000

export interface RedisDedupOptions {
  /** Milliseconds after which a reservation ends by itself; longer than any message takes. Default 15,000. */
  reservationMs?: number
  /** Copies that may wait for an outcome of another node; others fail. Default 1000. */
  maxWaits?: number
  /** Told of each failed call. */
  onError?: (error: unknown) => void
  /** Milliseconds that only go forward. */
  now?: () => number
}

/** A reservation in this node's memory and in Redis. */
class SharedReservation implements Reserved {
  readonly tenantId: string
  readonly key: string
  readonly fingerprint: number

  /** @param state how Redis knows it */
  constructor (readonly local: Reserved, readonly redisKey: string, readonly state: string) {
    this.tenantId = local.tenantId
    this.key = local.key
    this.fingerprint = local.fingerprint
  }
}

/**
 * Finds repeated messages over all members, so that a sender may reconnect to another node. What this node processes,
 * or has sent itself, it answers from its memory; Redis knows the rest.
 *
 * - The outcome of a copy that another node processes is learnt by asking for it every 50 to 400 ms. It counts as
 *   failed, `delivery failed`, when that node dies or takes longer than a reservation lasts; a copy that comes later is
 *   processed.
 * - A message that takes longer than its reservation lasts may be sent twice.
 * - A message that was sent and could not be saved to Redis is remembered by this node only.
 * - While Redis cannot be reached, this node's memory decides alone.
 *
 * A message costs two commands, one round trip of latency, about 40 µs of this node's CPU and 12 µs of Redis's, and for
 * ten minutes 200 bytes of Redis's memory (ids of 85 characters in all): 120 MB for 1000 messages a second. In memory
 * it costs 3 µs.
 */
export class RedisDedup implements Dedup {
  /** Messages for which this node's memory decided alone. */
  degraded = 0
  /** Sent messages that Redis does not know of. */
  unsaved = 0
  private reservations = 0
  private readonly outcomes: OutcomeWatch
  private readonly reservationMs: number
  private readonly onError: (error: unknown) => void

  constructor (
    private readonly local: MemoryDedup,
    private readonly link: Pick<RedisLink, 'isUp' | 'run'>,
    private readonly directory: Pick<NodeDirectory, 'self' | 'get' | 'refresh'>,
    {
      reservationMs = 15_000, maxWaits = 1000, onError = () => {}, now = () => performance.now(),
    }: RedisDedupOptions = {}
  ) {
    this.reservationMs = reservationMs
    this.onError = onError
    this.outcomes = new OutcomeWatch({ maxWaits, patienceMs: reservationMs + GRACE_MS, onError, now })
  }

  /** Copies that wait for the outcome of another node. */
  get waiting (): number {
    return this.outcomes.size
  }

  /** Copies that failed because too many waited. */
  get overflows (): number {
    return this.outcomes.overflows
  }

  reserve (message: Message): Reservation | Promise<Reservation> {
    const found = this.local.reserve(message)
    if (found.kind !== 'first') return found
    const { tenantId, userId, deviceId, msgId } = message
    const reserved = new SharedReservation(found.reserved, dedupKey(tenantId, userId, deviceId, msgId),
      inFlight(found.reserved.fingerprint, ++this.reservations, this.directory.self.key))
    if (this.link.isUp) return this.share(reserved)
    this.degraded++
    return { kind: 'first', reserved }
  }

  commit (reserved: Reserved): void {
    const { local, redisKey, fingerprint } = reserved as SharedReservation
    this.local.commit(local)
    if (!this.link.isUp) {
      this.unsaved++
      return
    }
    this.link.run('dedup', redis => redis.set(redisKey, sent(fingerprint), 'PX', DEDUP_WINDOW_MS)).catch(error => {
      this.unsaved++
      this.onError(error)
    })
  }

  release (reserved: Reserved, reason: string): void {
    const { local, redisKey, state, fingerprint } = reserved as SharedReservation
    this.local.release(local, reason)
    // Where that fails the reservation ends by itself.
    if (!this.link.isUp) return
    this.link.run('dedup', redis => RELEASE.run(redis, [redisKey], [state, failed(fingerprint, reason), FAILURE_KEPT_MS]))
      .catch(this.onError)
  }

  forget (tenantId: string): void {
    this.local.forget(tenantId)
  }

  /** Copies that still wait for another node's outcome fail. */
  close (): void {
    this.outcomes.close()
  }

  /** Takes the reservation to Redis. */
  private async share (reserved: SharedReservation): Promise<Reservation> {
    const { local, fingerprint } = reserved
    const held = await this.place(reserved)
    if (held === undefined) return { kind: 'first', reserved }
    if (held.fingerprint !== fingerprint) {
      this.local.settle(local, { sent: false, reason: AckReason.MSG_ID_CONFLICT })
      return { kind: 'conflict' }
    }
    if (held.kind === 'sent') {
      // Not remembered here: the ten minutes have begun already.
      this.local.settle(local, { sent: true, reason: '' })
      return { kind: 'duplicate' }
    }
    const outcome = this.outcomes.until(() => this.look(reserved)).then(outcome => {
      this.local.settle(local, outcome)
      return outcome
    })
    return { kind: 'in_flight', outcome }
  }

  /** What keeps the reservation out of Redis, or undefined: it is there, or Redis cannot be reached. */
  private async place (reserved: SharedReservation): Promise<CopyState | undefined> {
    try {
      const held = await this.tryPlace(reserved, '')
      if (held === undefined) return undefined
      const state = parseCopyState(held)
      if (state.kind !== 'in_flight' || await this.isProcessedBy(state.owner)) return state
      const successor = await this.tryPlace(reserved, held)
      return successor === undefined ? undefined : parseCopyState(successor)
    } catch (error) {
      this.degraded++
      this.onError(error)
      return undefined
    }
  }

  private async tryPlace ({ redisKey, state }: SharedReservation, ended: string): Promise<string | undefined> {
    const held = await this.link.run('dedup',
      redis => RESERVE.run(redis, [redisKey], [state, this.reservationMs, ended]))
    return held === null ? undefined : held as string
  }

  private async look ({ redisKey, fingerprint }: SharedReservation): Promise<FirstOutcome | undefined> {
    const text = await this.link.run('dedup', redis => redis.get(redisKey))
    if (text === null) return UNKNOWN_OUTCOME
    const state = parseCopyState(text)
    if (state.fingerprint !== fingerprint) return UNKNOWN_OUTCOME
    switch (state.kind) {
      case 'sent': return { sent: true, reason: '' }
      case 'failed': return { sent: false, reason: state.reason }
      case 'in_flight': return await this.isProcessedBy(state.owner) ? undefined : UNKNOWN_OUTCOME
    }
  }

  /** Whether a member may still be processing a message that it has reserved and this node's memory does not know. */
  private async isProcessedBy (owner: string): Promise<boolean> {
    if (owner === this.directory.self.key) return false
    if (this.directory.get(owner) !== undefined) return true
    try {
      // It may have joined a moment ago.
      await this.directory.refresh()
    } catch (error) {
      this.onError(error)
      return true
    }
    return this.directory.get(owner) !== undefined
  }
}
