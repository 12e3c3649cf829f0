import { ramp, type Mode } from './mode.js'
import type { Traffic } from './traffic.js'

export interface ConnectionsShare {
  /** `n`: the user's number. `place`: decides the URL. */
  users: { n: number, place: number, tenantId: string }[]
  /** Connections a second. */
  connectRate: number
}

/** Connections that only live: modes connect and heartbeat. */
export class IdleMode implements Mode {
  constructor (private readonly traffic: Traffic, private readonly share: ConnectionsShare) {}

  async connect (signal: AbortSignal): Promise<void> {
    const { users, connectRate } = this.share
    await ramp(connectRate, users.length, signal, async (i, dueMs) => {
      const { n, place, tenantId } = users[i]
      await this.traffic.connect(this.traffic.users.user(n, tenantId), tenantId, { url: place, source: n }, dueMs, {})
    })
  }

  async load (signal: AbortSignal): Promise<void> {
    if (!signal.aborted) await new Promise(resolve => signal.addEventListener('abort', resolve, { once: true }))
  }
}
