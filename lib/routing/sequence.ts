/**
 * Positions in the order of messages: ascending on this node, and comparable between nodes as far as their clocks
 * agree, so that messages for one user that waited on several nodes are put in order again.
 */
export class Sequence {
  private last = 0

  constructor (private readonly now: () => number = Date.now) {}

  /** Microseconds since the epoch, or one more than the last: safe as a double until the year 2255. */
  next (): number {
    this.last = Math.max(this.last + 1, this.now() * 1000)
    return this.last
  }
}
