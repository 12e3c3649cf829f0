/** How long to wait after failures. */
export interface RetryDelays {
  /** Milliseconds at most after the first failure; twice as much after each further one. */
  baseMs: number
  /** Milliseconds at most however many there were. */
  maxMs: number
  /** From 0 to 1. */
  random: () => number
}

/** Handed out on the way in, given back with the outcome. */
export type Ticket = number

/** Beyond it 2 to the power of the failures is more than any bound. */
const MAX_DOUBLINGS = 30

/**
 * Lets everything through while things work. After a failure it lets one thing through at a time, to see: first after
 * a delay, and after each further failure again, a delay that grows, with full jitter
 * (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/).
 *
 * Outcomes of what went in before the latest change say nothing new, neither good nor bad: a hundred things that fail
 * together are one failure.
 */
export class RetryGate {
  /** In a row. */
  private failures = 0
  /** Grows with each change: an outcome with an older ticket is old news. */
  private latest: Ticket = 0
  private retryAt = 0
  private isProbing = false

  constructor (private readonly delays: RetryDelays) {}

  get isOpen (): boolean {
    return this.failures === 0
  }

  /** How many may go in now. */
  room (now: number): number {
    if (this.isOpen) return Infinity
    return this.isProbing || now < this.retryAt ? 0 : 1
  }

  /** When there is room again without an outcome. Infinity: not before an outcome. */
  get opensAt (): number {
    return this.isOpen || this.isProbing ? Infinity : this.retryAt
  }

  /** One batch goes in. */
  enter (): Ticket {
    if (!this.isOpen) this.isProbing = true
    return this.latest
  }

  /** True: it was shut, and is open now. */
  worked (ticket: Ticket): boolean {
    if (ticket !== this.latest || this.isOpen) return false
    this.failures = 0
    this.latest++
    this.isProbing = false
    return true
  }

  /** True: this is news. */
  failed (ticket: Ticket, now: number): boolean {
    if (ticket !== this.latest) return false
    const { baseMs, maxMs, random } = this.delays
    const most = Math.min(Math.max(baseMs, 1) * 2 ** Math.min(this.failures, MAX_DOUBLINGS), maxMs)
    this.failures++
    this.latest++
    this.isProbing = false
    // Not at once, even by chance: that would keep the process busy with nothing else.
    this.retryAt = now + Math.max(random() * most, 1)
    return true
  }

  /** It did not come to an outcome that says anything. */
  unclear (ticket: Ticket): void {
    if (ticket === this.latest) this.isProbing = false
  }

  /** Ends a delay. */
  retryNow (): void {
    this.retryAt = 0
  }
}
