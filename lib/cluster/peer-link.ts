import { Code, ConnectError } from '@connectrpc/connect'
import { Breaker, BreakerState } from '../breaker/breaker.js'
import type { LinkResponse } from '../gen/mics/node/v1/node_pb.js'
import type { LogLine, ThrottledLog } from '../log/throttled-log.js'
import type { Member } from '../node-directory/node-directory.js'
import { Deadlines } from './deadlines.js'
import { decodeResult, type ItemResult } from './item-result.js'
import { MAX_BATCH_BYTES, maxItemBytes, maxLinkBytes, SLOW_FACTOR } from './node-rpc-limits.js'
import type { PeerItem, Unanswered } from './peer-item.js'
import { PeerQueue } from './peer-queue.js'
import { PeerStream } from './peer-stream.js'
import { UnansweredItems } from './unanswered-items.js'

/** Times an item goes out, and attempts in a row to open a stream, before its callers are told. */
const MAX_ATTEMPTS = 3

/** Milliseconds before the second attempt; doubled with each, and spread over half to one and a half of it. */
const RETRY_MS = 40

/** Milliseconds during which a peer that refused us is not asked again. */
const REFUSED_MS = 1000

/** Milliseconds: a connection that is dead is found dead after both together. */
const PING_INTERVAL_MS = 2000
const PING_TIMEOUT_MS = 1000

export interface PeerLinkOptions {
  /** What the peer is shown. */
  token: string
  /** Milliseconds for a peer to answer. */
  timeoutMs: number
  /** For one peer; a tenant may use half of it. */
  queueMaxBytes: number
  breakerFailureThreshold: number
  breakerOpenMs: number
  maxMessageBytes: number
  log: { error: LogLine, warn: LogLine }
  throttledLog: ThrottledLog
  /** 0 to 1. */
  random?: () => number
}

export interface PeerLinkEvents {
  /** Nothing is pending any more on a link that takes no more calls. */
  onRetired: () => void
  /** The peer says that it is another member by now. */
  onDisowned: () => void
  /** Once for each item. Undefined: it was answered. */
  onSettled: (item: PeerItem, unanswered: Unanswered | undefined) => void
}

/**
 * The way to one peer: its queue, its stream, its breaker. Opens a stream when there is something to send, and again
 * after it broke; what was unanswered then is sent again first, in its order. That is safe, because the peer knows what
 * it has seen.
 */
export class PeerLink {
  breakerState: BreakerState = BreakerState.CLOSED
  private readonly queue: PeerQueue
  private readonly unanswered = new UnansweredItems()
  private readonly quick: Deadlines
  private readonly slow: Deadlines
  private readonly breaker: Breaker
  /** The one item that a half-open breaker let through. */
  private trial?: { item: PeerItem, end: (isAnswered: boolean) => void }
  private stream?: PeerStream
  private retryTimer?: NodeJS.Timeout
  /** Attempts in a row, to open a stream or to use one, that brought no answer. */
  private failedAttempts = 0
  private refusedUntil = -Infinity
  private timeoutCountedAt = -Infinity
  private isClosed = false
  private isRetiring = false

  constructor (
    private readonly processId: string,
    private readonly member: Member,
    private readonly options: PeerLinkOptions,
    private readonly events: PeerLinkEvents
  ) {
    const { timeoutMs, queueMaxBytes, log } = options
    this.queue = new PeerQueue(queueMaxBytes)
    this.quick = new Deadlines(timeoutMs, items => {
      const isPeerSlow = items.some(({ isWaiting }) => !isWaiting)
      this.expire(items)
      if (isPeerSlow) this.countTimeout()
    })
    this.slow = new Deadlines(timeoutMs * SLOW_FACTOR, items => this.expire(items))
    this.breaker = new Breaker(state => {
      this.breakerState = state
      log.warn({ peer: member.key, breaker: ['closed', 'open', 'half-open'][state] }, 'peer breaker changed')
    })
  }

  get nodeId (): string {
    return this.member.nodeId
  }

  /** Bytes of what waits for the peer, and of what it has not answered. */
  get queueBytes (): number {
    return this.queue.bytes
  }

  /** Calls that are not settled. */
  get pending (): number {
    return this.quick.size + this.slow.size
  }

  /** Sends an item, or settles it at once. */
  call (item: PeerItem): void {
    const refusal = this.refusal(item)
    if (refusal !== undefined) {
      this.tell(item, refusal)
      return
    }
    const deadlines = item.isSlow ? this.slow : this.quick
    deadlines.add(item)
    if (this.breaker.isHalfOpen) this.decideWith(item)
    if (this.stream !== undefined) this.stream.poke()
    else if (this.retryTimer === undefined) this.connect()
  }

  /**
   * The peer is no member any more: takes no more calls. What is under way may still be answered, by the same process
   * under another name maybe; if it were given up at once, it would be done twice.
   */
  retire (): void {
    this.isRetiring = true
    this.closeIfDone()
  }

  /** Ends everything; what is pending is unreachable. */
  close (): void {
    if (this.isClosed) return
    this.isClosed = true
    clearTimeout(this.retryTimer)
    this.stream?.close()
    this.settleAll([...this.quick.items(), ...this.slow.items()], 'closed')
    this.quick.close()
    this.slow.close()
    this.breaker.close()
  }

  private refusal (item: PeerItem): Unanswered | undefined {
    if (this.isClosed || this.isRetiring) return 'closed'
    if (performance.now() < this.refusedUntil) return 'refused'
    if (this.breaker.refuses) return 'breaker_open'
    if (item.bytes > maxItemBytes(this.options.maxMessageBytes)) return 'too_large'
    return this.queue.add(item) ? undefined : 'queue_full'
  }

  private decideWith (item: PeerItem): void {
    const { breakerFailureThreshold, breakerOpenMs } = this.options
    const call = (): Promise<void> => new Promise((resolve, reject) => {
      this.trial = { item, end: isAnswered => isAnswered ? resolve() : reject(new Error('the peer did not answer')) }
    })
    this.breaker.run(call, breakerFailureThreshold, breakerOpenMs).catch(() => {
      // The breaker has heard of it, and so has the item's caller.
    })
  }

  private connect (): void {
    const { token, timeoutMs, maxMessageBytes } = this.options
    const { endpoint, key } = this.member
    this.stream = new PeerStream({
      endpoint,
      token,
      processId: this.processId,
      to: key,
      openTimeoutMs: timeoutMs,
      pingIntervalMs: PING_INTERVAL_MS,
      pingTimeoutMs: PING_TIMEOUT_MS,
      maxBytes: maxLinkBytes(maxMessageBytes),
    }, {
      takeItems: () => this.takeItems(),
      onResponse: response => this.onResponse(response),
      onEnd: error => this.onStreamEnd(error),
    })
  }

  private takeItems (): Uint8Array[] {
    const encoded: Uint8Array[] = []
    for (const item of this.queue.take(MAX_BATCH_BYTES, item => this.unanswered.maySend(item))) {
      item.sends++
      this.unanswered.add(item)
      try {
        encoded.push(item.encode())
      } catch (err) {
        // A fault of ours; the others must not suffer from it.
        this.options.log.error({ err, peer: this.member.key, kind: item.kind }, 'an item for a peer cannot be encoded')
        this.settle(item, 'broken')
      }
    }
    return encoded
  }

  private onResponse ({ results }: LinkResponse): void {
    let isAnswered = false
    for (const bytes of results) {
      const result = decodeResult(bytes)
      if (result === undefined) throw new ConnectError('a result that cannot be read', Code.DataLoss)
      const item = this.unanswered.get(result.id)
      // Otherwise its time was over.
      if (item === undefined) continue
      isAnswered = true
      this.settle(item, result)
    }
    if (!isAnswered) return
    this.failedAttempts = 0
    this.breaker.succeeded()
    if (!this.queue.isEmpty) this.stream?.poke()
  }

  private onStreamEnd (error: ConnectError | undefined): void {
    const { breakerFailureThreshold, breakerOpenMs, throttledLog, log } = this.options
    const peer = this.member.key
    if (error?.code === Code.Unauthenticated) {
      throttledLog.log(`peer token ${peer}`, log.error, { peer },
        'a peer refuses this node: CLUSTER_GRPC_TOKEN must be the same on all nodes')
      this.refuse()
    } else if (error?.code === Code.FailedPrecondition) {
      throttledLog.log(`peer disowned ${peer}`, log.warn, { peer }, 'a peer is another member by now')
      this.events.onDisowned()
      this.refuse()
    } else if (error !== undefined) {
      throttledLog.log(`peer stream ${peer}`, log.warn, { peer, reason: error.message }, 'the stream to a peer broke')
      this.breaker.failed(breakerFailureThreshold, breakerOpenMs)
    }
    this.afterStream(error)
  }

  private refuse (): void {
    this.refusedUntil = performance.now() + REFUSED_MS
    this.settleAll([...this.unanswered.takeAll(), ...this.queue.list()], 'refused')
  }

  /** Sees to what the stream has left behind, and to the next one. */
  private afterStream (error?: ConnectError): void {
    this.stream = undefined
    this.failedAttempts++
    const isTooLarge = error?.code === Code.ResourceExhausted
    const again: PeerItem[] = []
    for (const item of this.unanswered.takeAll()) {
      if (isTooLarge && item.bytes > MAX_BATCH_BYTES) this.settle(item, 'too_large')
      else if (item.sends < MAX_ATTEMPTS) again.push(item)
      else this.settle(item, 'broken')
    }
    this.queue.putBack(again)
    if (this.breaker.refuses && this.trial === undefined) this.settleAll(this.queue.list(), 'breaker_open')
    else if (this.failedAttempts >= MAX_ATTEMPTS) this.settleAll(this.queue.list(), 'broken')
    if (!this.queue.isEmpty) this.retry()
  }

  private retry (): void {
    const random = this.options.random ?? Math.random
    const delayMs = RETRY_MS * 2 ** (this.failedAttempts - 1) * (0.5 + random())
    this.retryTimer = setTimeout(() => {
      this.retryTimer = undefined
      // All of it may have timed out meanwhile.
      if (!this.queue.isEmpty) this.connect()
    }, delayMs).unref()
  }

  private expire (items: PeerItem[]): void {
    this.settleAll(items, 'timeout')
    // They have made room for others.
    this.stream?.poke()
  }

  /** A peer that stands still lets many calls time out: within the time of one call they count as one failure. */
  private countTimeout (): void {
    const { timeoutMs, breakerFailureThreshold, breakerOpenMs } = this.options
    const now = performance.now()
    if (now - this.timeoutCountedAt < timeoutMs) return
    this.timeoutCountedAt = now
    this.breaker.failed(breakerFailureThreshold, breakerOpenMs)
    if (this.breakerState === BreakerState.OPEN) this.settleAll(this.queue.list(), 'breaker_open')
  }

  private settleAll (items: PeerItem[], unanswered: Unanswered): void {
    for (const item of items) this.settle(item, unanswered)
  }

  private settle (item: PeerItem, outcome: ItemResult | Unanswered): void {
    const deadlines = item.isSlow ? this.slow : this.quick
    deadlines.delete(item)
    this.unanswered.delete(item)
    this.queue.release(item)
    if (this.trial?.item === item) {
      this.trial.end(typeof outcome !== 'string')
      this.trial = undefined
    }
    this.tell(item, outcome)
    if (this.isRetiring) this.closeIfDone()
  }

  private closeIfDone (): void {
    if (this.isClosed || this.pending > 0) return
    this.close()
    this.events.onRetired()
  }

  private tell (item: PeerItem, outcome: ItemResult | Unanswered): void {
    this.events.onSettled(item, typeof outcome === 'string' ? outcome : undefined)
    item.settled(outcome)
  }
}
