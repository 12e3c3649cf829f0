import type { TenantSettings } from '../config/gateway-config.js'
import { CheckBatch, type CheckMember } from './check-batch.js'
import { MAX_CALLS_AT_ONCE, QUEUE_PER_SLOT, type ConcurrencyLimiter } from './concurrency-limiter.js'
import { HookFailure, queueFull } from './hook-failure.js'

/** Batches that messages may join at once: so many kinds of settings the connections of a tenant have, usually one. */
const MAX_OPEN = 8

/**
 * Gathers the messages of one tenant that its check hook is asked about, into batches of those asked for alike.
 *
 * A message waits for no other while no call is on its way: its batch goes when the event loop has done with what
 * arrived together with it, by `setImmediate`. So a lone message goes at once, and under load a batch is what arrived
 * since the last look at the sockets. With `checkBatchMaxWaitMs` a batch waits longer, but only as long as some call is
 * on its way. A full batch always goes at once.
 *
 * A batch that waits for a slot may still be joined: the slower the hook, the larger its batches.
 */
export class CheckBatches {
  /** Those that may be joined. */
  private readonly open: CheckBatch[] = []
  /** Messages that are not on their way yet. */
  private waiting = 0
  private turnEnds = false
  private timer?: NodeJS.Timeout
  private timerDueAt = 0
  private closed?: HookFailure

  constructor (private readonly deps: {
    limiter: ConcurrencyLimiter
    /** Why nothing can be asked at all now. */
    refusal: () => HookFailure | undefined
    /** Asks about the batch and tells its members. Has a slot until it resolves; never rejects. */
    ask: (batch: CheckBatch) => Promise<void>
    /** Tells the members of a batch that was not asked about. */
    refuse: (batch: CheckBatch, failure: HookFailure) => void
  }) {}

  join (settings: TenantSettings, member: CheckMember): void {
    if (this.waiting >= maxWaiting(settings)) {
      this.deps.refuse(CheckBatch.of(settings, member), queueFull())
      return
    }
    this.waiting++
    let batch = this.openFor(settings, member.size)
    if (batch === undefined) {
      batch = CheckBatch.of(settings, member)
      batch.dueAt = member.askedAt + settings.checkBatchMaxWaitMs
      if (this.open.push(batch) > MAX_OPEN) this.dispatch(this.open.shift() as CheckBatch)
    } else {
      batch.add(member)
    }
    if (batch.isFull) {
      this.shut(batch)
      this.dispatch(batch)
    } else if (batch.queuedAt === undefined) {
      this.flushAtEndOfTurn()
    }
  }

  /** Those that wait are refused, now or as soon as they would have had a slot. */
  close (failure: HookFailure): void {
    this.closed = failure
    clearTimeout(this.timer)
    for (const batch of this.open.slice()) this.dispatch(batch)
  }

  private openFor (settings: TenantSettings, size: number): CheckBatch | undefined {
    for (const batch of this.open) {
      if (!batch.isFor(settings)) continue
      if (batch.hasRoomFor(size)) return batch
      this.shut(batch)
      this.dispatch(batch)
      return undefined
    }
    return undefined
  }

  /** Nobody can join it any more. */
  private shut (batch: CheckBatch): void {
    const i = this.open.indexOf(batch)
    if (i >= 0) this.open.splice(i, 1)
  }

  private flushAtEndOfTurn (): void {
    if (this.turnEnds) return
    this.turnEnds = true
    setImmediate(() => {
      this.turnEnds = false
      this.flush(performance.now())
    })
  }

  /** Sends the batches that have waited enough, and sees to the others. */
  private flush (now: number): void {
    const { mayWait } = this
    let nextDueAt = Infinity
    for (const batch of this.open.slice()) {
      if (batch.queuedAt !== undefined) continue
      if (!mayWait || batch.dueAt <= now) this.dispatch(batch)
      else nextDueAt = Math.min(nextDueAt, batch.dueAt)
    }
    this.wake(nextDueAt, now)
  }

  /** Sees to it that there is a flush by then. */
  private wake (dueAt: number, now: number): void {
    if (this.timer !== undefined && dueAt >= this.timerDueAt && dueAt !== Infinity) return
    clearTimeout(this.timer)
    this.timer = undefined
    if (dueAt === Infinity || this.closed !== undefined) return
    this.timerDueAt = dueAt
    this.timer = setTimeout(() => {
      this.timer = undefined
      // Timers count in whole milliseconds, of a clock that is read once a turn.
      this.flush(Math.max(dueAt, performance.now()))
    }, dueAt - now)
  }

  /** Sends the batch as soon as there is a slot. */
  private dispatch (batch: CheckBatch): void {
    if (batch.queuedAt !== undefined) return
    batch.queuedAt = performance.now()
    const refusal = this.refusal()
    if (refusal === undefined) this.queue(batch)
    else this.refuse(batch, refusal)
  }

  private queue (batch: CheckBatch): void {
    const { settings } = batch
    const granted =
      this.deps.limiter.acquire(maxCalls(settings), settings.hookQueueTimeoutMs, () => this.refuseImpatient(batch))
    if (granted === true) {
      this.send(batch)
    } else if (granted === false) {
      this.refuse(batch, queueFull())
    } else {
      // No: none is left in it.
      granted.then(yes => { if (yes) this.send(batch) }, () => {})
    }
  }

  /**
   * No slot came in time for those that have waited longest. Those that joined later have some patience left: how much,
   * in milliseconds. 0: there are none.
   */
  private refuseImpatient (batch: CheckBatch): number {
    const now = performance.now()
    const queuedAt = batch.queuedAt as number
    const patienceMs = batch.settings.hookQueueTimeoutMs
    // A timer may be early by the fraction of a millisecond.
    const patientSince = now - patienceMs + 1
    const impatient = patientSince < queuedAt ? undefined : batch.takeAskedUntil(patientSince)
    if (impatient !== undefined) this.refuse(impatient, queueFull())
    if (batch.size === 0) {
      this.shut(batch)
      return 0
    }
    return Math.max(1, Math.ceil(Math.max(queuedAt, batch.members[0].askedAt) + patienceMs - now))
  }

  /** The batch has a slot. */
  private send (batch: CheckBatch): void {
    const refusal = this.refusal()
    if (refusal === undefined) {
      this.shut(batch)
      this.waiting -= batch.size
      this.deps.ask(batch).finally(() => this.release()).catch(() => {})
    } else {
      this.refuse(batch, refusal)
      this.release()
    }
  }

  private release (): void {
    this.deps.limiter.release()
    if (this.mayWait) return
    if (this.open.length > 0) this.flushAtEndOfTurn()
    else this.wake(Infinity, 0)
  }

  private refuse (batch: CheckBatch, failure: HookFailure): void {
    this.shut(batch)
    this.waiting -= batch.size
    this.deps.refuse(batch, failure)
  }

  /** Whether a batch may wait for more messages: a call is on its way meanwhile, and the next one can be made. */
  private get mayWait (): boolean {
    return this.deps.limiter.running > 0 && this.refusal() === undefined
  }

  private refusal (): HookFailure | undefined {
    return this.closed ?? this.deps.refusal()
  }
}

/** Calls at once that the tenant may have. */
export function maxCalls ({ hookMaxConcurrency }: TenantSettings): number {
  return Math.min(hookMaxConcurrency, MAX_CALLS_AT_ONCE)
}

/** Messages of a tenant that may wait: for each slot as many as if they were asked about one by one, or a batch. */
function maxWaiting (settings: TenantSettings): number {
  return maxCalls(settings) * Math.max(QUEUE_PER_SLOT, settings.checkBatchMaxMessages)
}
