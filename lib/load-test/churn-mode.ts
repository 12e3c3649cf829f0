import type { ConnectionsShare } from './idle-mode.js'
import type { LoadConnection } from './load-connection.js'
import type { Mode } from './mode.js'
import { Pacer } from './pacer.js'
import type { Traffic } from './traffic.js'

/** Connections that come at a rate, stay for a while, and go. */
export class ChurnMode implements Mode {
  /** Users who are not connected. */
  readonly #free: ConnectionsShare['users']
  readonly #timers = new Set<NodeJS.Timeout>()

  constructor (private readonly traffic: Traffic, private readonly share: ConnectionsShare) {
    this.#free = [...share.users]
  }

  async connect (): Promise<void> {}

  async load (signal: AbortSignal): Promise<void> {
    if (signal.aborted || this.share.users.length === 0) return
    const opening = new Set<Promise<void>>()
    const pacer = new Pacer({
      rate: this.share.connectRate,
      onDue: dueMs => {
        const user = this.#free.shift()
        if (user === undefined) {
          this.traffic.tally.connections.skipped++
          return true
        }
        const visit = this.#visit(user, dueMs).finally(() => opening.delete(visit))
        opening.add(visit)
        return true
      },
    })
    signal.addEventListener('abort', () => pacer.stop(), { once: true })
    await pacer.ended
    // Those that are let in only now have a time to stay, too.
    await Promise.all(opening)
    for (const timer of this.#timers) clearTimeout(timer)
  }

  /** Resolves when it is connected, or is not let in. */
  async #visit (user: ConnectionsShare['users'][number], dueMs: number): Promise<void> {
    const { n, place, tenantId } = user
    const onEnd = (): void => { this.#free.push(user) }
    const login = this.traffic.users.user(n, tenantId)
    const connection = await this.traffic.connect(login, tenantId, { url: place, source: n }, dueMs, { onEnd })
    if (connection === undefined) onEnd()
    else this.#leaveLater(connection)
  }

  #leaveLater (connection: LoadConnection): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer)
      connection.close()
    }, this.traffic.options.holdSeconds * 1000)
    this.#timers.add(timer)
  }
}
