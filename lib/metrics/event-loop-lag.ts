import { Histogram } from './histogram.js'

/** Milliseconds between two looks. */
const INTERVAL_MS = 20

/** Looks that one long pause stands for, at most: a machine that slept for a night is no lag. */
const MAX_LOOKS = 500

/**
 * How late timers are, looked at every 20 ms. While the event loop stands still there are no looks, so a pause counts
 * as each of those that it swallowed: the share of looks that are late by a second is the share of time in which
 * whoever came had to wait so long. (The same correction as HdrHistogram's for coordinated omission.)
 */
export class EventLoopLag {
  /** In seconds. */
  readonly histogram = new Histogram([0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5])
  private readonly timer: NodeJS.Timeout
  private expectedMs: number

  constructor (private readonly now = () => performance.now()) {
    this.expectedMs = now() + INTERVAL_MS
    this.timer = setInterval(() => this.look(), INTERVAL_MS)
    this.timer.unref()
  }

  close (): void {
    clearInterval(this.timer)
  }

  /** What the timer does. */
  look (): void {
    const now = this.now()
    let lagMs = Math.max(now - this.expectedMs, 0)
    for (let looks = 0; looks < MAX_LOOKS; looks++) {
      this.histogram.observe(lagMs / 1000)
      lagMs -= INTERVAL_MS
      if (lagMs <= 0) break
    }
    this.expectedMs = now + INTERVAL_MS
  }
}
