/**
 * Tokens that come back at a steady rate up to one second's worth, so that a burst of a second's load passes; but
 * always up to one, so that a rate below one a second lets something through.
 */
export class TokenBucket {
  private tokens: number
  private refilledAt: number

  /** @param rate tokens a second, above 0 */
  constructor (rate: number, private readonly now: () => number) {
    this.tokens = Math.max(rate, 1)
    this.refilledAt = now()
  }

  /** Takes one token if there is one. The rate is given each time because it is a setting that may change. */
  take (rate: number): boolean {
    const now = this.now()
    // A clock set back must not take tokens away.
    const elapsedMs = Math.max(now - this.refilledAt, 0)
    this.tokens = Math.min(this.tokens + elapsedMs * rate / 1000, Math.max(rate, 1))
    this.refilledAt = now
    if (this.tokens < 1) return false
    this.tokens--
    return true
  }
}
