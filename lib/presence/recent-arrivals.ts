/** Users in each of the two generations. */
const MAX_USERS = 200_000

/**
 * Users who lately connected to another node too, for as long as somebody may still have their former routes cached.
 * Two generations, the older dropped as a whole, so that there is no timer and no date for each. In a storm some are
 * forgotten early: their routes are old for the lifetime of a cached one at most.
 */
export class RecentArrivals {
  private current = new Set<string>()
  private former = new Set<string>()
  private turnedAt: number

  /** @param keepMs milliseconds that one is remembered, at least; at most twice as long */
  constructor (private readonly keepMs: number, private readonly now: () => number = Date.now) {
    this.turnedAt = now()
  }

  add (tenantId: string, userId: string): void {
    this.turn()
    this.current.add(`${tenantId}\0${userId}`)
  }

  has (tenantId: string, userId: string): boolean {
    if (this.current.size === 0 && this.former.size === 0) return false
    this.turn()
    const key = `${tenantId}\0${userId}`
    return this.current.has(key) || this.former.has(key)
  }

  private turn (): void {
    const passed = this.now() - this.turnedAt
    if (passed < this.keepMs && this.current.size < MAX_USERS) return
    this.former = passed < 2 * this.keepMs ? this.current : new Set()
    this.current = new Set()
    this.turnedAt = this.now()
  }
}
