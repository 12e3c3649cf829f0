/** Milliseconds after which the quickest of a time is forgotten; at most twice as long it counts. Clocks drift. */
const WINDOW_MS = 60_000

/**
 * How late things come, by a sender's clock that has nothing to do with ours: against the quickest of the last minute
 * or two. A process or a network that stood still shows.
 */
export class Lateness {
  private quickest = Infinity
  private formerQuickest = Infinity
  private turnedAt: number

  /** @param now milliseconds of a clock that nobody sets, and that goes on while the process is stopped */
  constructor (private readonly now: () => number = () => performance.now()) {
    this.turnedAt = now()
  }

  /** Milliseconds beyond the quickest. The first one counts as in time. */
  of (sentAtMs: number): number {
    const now = this.now()
    const passed = now - this.turnedAt
    if (passed >= WINDOW_MS) {
      this.formerQuickest = passed < 2 * WINDOW_MS ? this.quickest : Infinity
      this.quickest = Infinity
      this.turnedAt = now
    }
    const took = now - sentAtMs
    this.quickest = Math.min(this.quickest, took)
    return took - Math.min(this.quickest, this.formerQuickest)
  }
}
