import { TokenBucket } from './token-bucket.js'

/** Milliseconds over which demand is measured; under a steady load a node fetches tokens about once in each. */
export const INTERVAL_MS = 100

/** A stock lasts for so many intervals of the demand, and is filled up again when so many are left. */
const FULL_INTERVALS = 1.5
const LOW_INTERVALS = 0.5

/** Demand below this, in messages an interval, is none. */
const NO_DEMAND = 0.01

/** Messages of a tenant that may wait for tokens, where its limit is not lower: a fetch cannot bring more than that. */
const MAX_WAITING = 100_000

/** What a tenant's bucket gave. */
export interface Grant {
  /** Less than was asked for: the bucket is empty now. */
  granted: number
  /** Milliseconds until the next token comes into it. */
  nextMs: number
}

/** Where tokens come from. */
export interface TokenSource {
  /** Whether the bucket can be asked. */
  readonly isUp: boolean
  /** Takes as many of `want` tokens out of the bucket as there are. Rejects when it cannot be reached. */
  fetch (qps: number, want: number): Promise<Grant>
  /** Puts tokens back; never fails. */
  giveBack (qps: number, tokens: number): void
  /** Messages a second that this node may pass by itself while the bucket cannot be reached. */
  localRate (qps: number): number
  /** A message was answered without the bucket. */
  onLocal (): void
}

/**
 * A node's stock of one tenant's tokens, fetched from the bucket in advance: what the node was lately asked for in
 * 150 ms. So a steady load is answered at once for ten round trips a second, and little lies here while another node
 * has none. What the demand no longer needs goes back.
 */
export class TokenStock {
  private qps = 0
  private tokens = 0
  /** Messages an interval, lately: rises at once and falls by half an interval. */
  private demand = 0
  private asked = 0
  private intervalBegan: number
  private waiting: Array<(passes: boolean) => void> = []
  private isFetching = false
  /** Until then there is no token, but for what other nodes give back. */
  private emptyUntil = -Infinity
  private localUntil = -Infinity
  private local?: TokenBucket

  /**
   * @param now milliseconds that only go forward
   * @param random from 0 to 1
   */
  constructor (
    private readonly source: TokenSource,
    private readonly now: () => number,
    private readonly random: () => number
  ) {
    this.intervalBegan = now()
  }

  /** Whether one more message passes. Never rejects. */
  take (qps: number): boolean | Promise<boolean> {
    const now = this.now()
    this.measure(now)
    this.asked++
    this.qps = qps
    if (this.waiting.length > 0) return this.wait()
    if (this.tokens > 0) {
      this.tokens--
      if (this.tokens < this.demand * LOW_INTERVALS) this.refill()
      return true
    }
    if (this.isLocal(now)) return this.takeLocally()
    return now < this.emptyUntil ? false : this.wait()
  }

  /** Gives back what the demand no longer needs. To be called once an interval. */
  sweep (): void {
    this.measure(this.now())
    const unused = this.tokens - this.supply()
    if (unused <= 0 || this.isFetching) return
    this.tokens -= unused
    this.source.giveBack(this.qps, unused)
  }

  /** Whether nothing is lost with it. */
  get isIdle (): boolean {
    return this.demand < NO_DEMAND && this.asked === 0 && this.tokens === 0 && !this.isFetching &&
      this.now() >= this.emptyUntil
  }

  private wait (): boolean | Promise<boolean> {
    if (this.waiting.length >= Math.min(this.qps, MAX_WAITING)) return false
    return new Promise(resolve => {
      this.waiting.push(resolve)
      this.refill()
    })
  }

  /** At the end of the turn of the event loop: then all that it asks for is one fetch. */
  private refill (): void {
    if (this.isFetching || this.now() < this.emptyUntil) return
    this.isFetching = true
    setImmediate(() => {
      this.fetch().catch(() => { this.localUntil = this.now() + INTERVAL_MS }).finally(() => {
        this.isFetching = false
        this.answer()
      })
    })
  }

  private async fetch (): Promise<void> {
    const want = Math.min(this.waiting.length + this.supply() - this.tokens, this.qps)
    if (want <= 0) return
    const { granted, nextMs } = await this.source.fetch(this.qps, want)
    this.local = undefined
    this.tokens += granted
    if (granted >= want) return
    // Not to the beat of another node: one that always came just after another would get nothing.
    const pauseMs = INTERVAL_MS * (0.75 + this.random() / 2)
    this.emptyUntil = this.now() + Math.max(nextMs, pauseMs)
  }

  /** Answers those who wait, in order; those for whom nothing is known yet, after another fetch. */
  private answer (): void {
    const now = this.now()
    let answered = 0
    for (const resolve of this.waiting) {
      if (this.tokens > 0) {
        this.tokens--
        resolve(true)
      } else if (this.isLocal(now)) {
        resolve(this.takeLocally())
      } else if (now < this.emptyUntil) {
        resolve(false)
      } else {
        break
      }
      answered++
    }
    this.waiting.splice(0, answered)
    if (this.waiting.length > 0) this.refill()
  }

  private isLocal (now: number): boolean {
    return !this.source.isUp || now < this.localUntil
  }

  private takeLocally (): boolean {
    const rate = this.source.localRate(this.qps)
    this.local ??= new TokenBucket(rate, this.now)
    this.source.onLocal()
    return this.local.take(rate)
  }

  /**
   * Tokens to have beyond those that are waited for. A load that grows is met by half of what has come so far; not so
   * a burst, which comes at once and may be all.
   */
  private supply (): number {
    return Math.floor(Math.max(this.demand * FULL_INTERVALS, (this.asked - this.waiting.length) / 2))
  }

  private measure (now: number): void {
    const elapsed = now - this.intervalBegan
    if (elapsed < INTERVAL_MS) return
    this.demand = Math.max(this.asked * INTERVAL_MS / elapsed, this.demand / 2)
    this.asked = 0
    this.intervalBegan = now
  }
}
