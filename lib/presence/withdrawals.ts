import type { OnlineRoutes } from '../online-routes/online-routes.js'

/** Milliseconds until routes that could not be removed are tried again. */
const RETRY_MS = 1000

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

  constructor (private readonly routes: Pick<OnlineRoutes, 'unregister'>) {}

  add (route: Route): void {
    this.routes.unregister(route.tenantId, route.userId, route.deviceId, route.order).then(
      () => this.waiting.delete(route),
      () => this.keep(route))
  }

  close (): void {
    clearTimeout(this.timer)
    this.waiting.clear()
  }

  private keep (route: Route): void {
    this.waiting.add(route)
    if (this.waiting.size > MAX_WAITING) {
      const [oldest] = this.waiting
      this.waiting.delete(oldest)
    }
    this.timer ??= setTimeout(() => {
      this.timer = undefined
      for (const one of this.waiting) this.add(one)
    }, RETRY_MS).unref()
  }
}
