import type { OnlineRoutes } from '../online-routes/online-routes.js'

/** Milliseconds until routes that could not be removed are tried again. */
const RETRY_MS = 1000

/** Routes tried at once. */
const RETRY_CHUNK = 200

/** Beyond it the oldest are given up: a route that stays is found missing by whoever follows it. */
const MAX_WAITING = 100_000

interface Route {
  tenantId: string
  userId: string
  deviceId: string
  order: number
}

/** Removes the routes of connections that have ended; again and again where the store does not answer. */
export class Withdrawals {
  private readonly waiting = new Set<Route>()
  private timer?: NodeJS.Timeout
  private isClosed = false
  /** Given up for lack of room. */
  givenUp = 0

  constructor (private readonly routes: Pick<OnlineRoutes, 'unregister'>) {}

  /** Routes that wait to be tried again. */
  get size (): number {
    return this.waiting.size
  }

  /** Resolves when the route is gone, or is to be tried again. */
  async add (route: Route): Promise<void> {
    try {
      await this.routes.unregister(route.tenantId, route.userId, route.deviceId, route.order)
    } catch {
      // The store does not answer, and has its own line in the log for it.
      this.keep(route)
    }
  }

  close (): void {
    this.isClosed = true
    clearTimeout(this.timer)
    this.waiting.clear()
  }

  private keep (route: Route): void {
    if (this.isClosed) return
    this.waiting.add(route)
    if (this.waiting.size > MAX_WAITING) {
      const [oldest] = this.waiting
      this.waiting.delete(oldest)
      this.givenUp++
    }
    this.timer ??= setTimeout(() => this.retry(), RETRY_MS).unref()
  }

  private async retry (): Promise<void> {
    const routes = [...this.waiting]
    this.waiting.clear()
    for (let i = 0; i < routes.length; i += RETRY_CHUNK) {
      await Promise.all(routes.slice(i, i + RETRY_CHUNK).map(route => this.add(route)))
    }
    this.timer = undefined
    if (this.waiting.size > 0 && !this.isClosed) this.timer = setTimeout(() => this.retry(), RETRY_MS).unref()
  }
}
