import type { PeerItem } from './peer-item.js'

/**
 * The items whose time is running, all with the same time allowed. One timer for all of them: they expire in the order
 * in which they were added.
 */
export class Deadlines {
  private readonly expiry = new Map<PeerItem, number>()
  private timer?: NodeJS.Timeout

  /** @param expire called with the items whose time is over; they are no longer in here */
  constructor (
    private readonly timeoutMs: number,
    private readonly expire: (items: PeerItem[]) => void,
    private readonly now: () => number = performance.now.bind(performance)
  ) {}

  get size (): number {
    return this.expiry.size
  }

  add (item: PeerItem): void {
    this.expiry.set(item, this.now() + this.timeoutMs)
    this.timer ??= this.wait(this.timeoutMs)
  }

  /** The item is settled. */
  delete (item: PeerItem): void {
    this.expiry.delete(item)
  }

  items (): PeerItem[] {
    return [...this.expiry.keys()]
  }

  close (): void {
    clearTimeout(this.timer)
  }

  private wait (ms: number): NodeJS.Timeout {
    // Timers may fire a little early: then nothing has expired yet.
    return setTimeout(() => this.look(), Math.max(Math.ceil(ms), 1)).unref()
  }

  private look (): void {
    this.timer = undefined
    const now = this.now()
    const expired: PeerItem[] = []
    for (const [item, at] of this.expiry) {
      if (at > now) {
        this.timer = this.wait(at - now)
        break
      }
      expired.push(item)
    }
    for (const item of expired) this.expiry.delete(item)
    if (expired.length > 0) this.expire(expired)
  }
}
