interface Waiter {
  resolve: (granted: boolean) => void
  timer: NodeJS.Timeout
}

/** Calls of one hook at once, whatever the tenant asks for: each may hold a whole response. */
export const MAX_CALLS_AT_ONCE = 1024

/** Waiters per running call: beyond it a call is refused at once, however patient it is. */
export const QUEUE_PER_SLOT = 16

/**
 * Lets a number of calls run at once and a bounded number wait, first come first served, for a bounded time.
 * The limit is given with each call because it is a tenant's setting and may change.
 */
export class ConcurrencyLimiter {
  running = 0
  private readonly waiters: Waiter[] = []

  get waiting (): number {
    return this.waiters.length
  }

  /**
   * True: go, and call `release` afterwards. False: not within `timeoutMs`, or too many wait already.
   * @param moreMs asked when the time is over: milliseconds more that the call waits in its place; 0: it ends
   */
  acquire (limit: number, timeoutMs: number, moreMs: () => number = noMore): boolean | Promise<boolean> {
    if (this.running < limit) {
      this.running++
      return true
    }
    if (timeoutMs === 0 || this.waiters.length >= limit * QUEUE_PER_SLOT) return false
    return new Promise(resolve => {
      const timeIsOver = (): void => {
        const more = moreMs()
        if (more > 0) {
          waiter.timer = setTimeout(timeIsOver, more)
          return
        }
        this.waiters.splice(this.waiters.indexOf(waiter), 1)
        resolve(false)
      }
      const waiter: Waiter = { resolve, timer: setTimeout(timeIsOver, timeoutMs) }
      this.waiters.push(waiter)
    })
  }

  /** Ends a granted call; its place goes to the one that has waited longest. */
  release (): void {
    const next = this.waiters.shift()
    if (next === undefined) {
      this.running--
      return
    }
    clearTimeout(next.timer)
    next.resolve(true)
  }
}

function noMore (): number {
  return 0
}
