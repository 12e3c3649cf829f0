import { EventEmitter, once } from 'node:events'
import type { TestGateway } from './gateway.js'

/**
 * Keeps the auth hook's answers from the handshakes until the test releases them. The hook itself has answered by
 * then, so that its 150 ms do not run while a test takes its time.
 */
export class HeldAuth {
  private readonly held = new Map<string, () => void>()
  private readonly events = new EventEmitter().setMaxListeners(0)

  constructor (gateway: TestGateway, holds: (token: string, tenantId: string) => boolean = () => true) {
    const { hooksClient } = gateway.server.app
    const auth = hooksClient.auth.bind(hooksClient)
    hooksClient.auth = async (tenantId, settings, token, deviceId, traceId) => {
      const answer = await auth(tenantId, settings, token, deviceId, traceId)
      if (!holds(token, tenantId)) return answer
      await new Promise<void>(resolve => {
        this.held.set(token, resolve)
        this.events.emit('held')
      })
      return answer
    }
  }

  /** Resolves when the answer for this token is there, and held. */
  async answered (token: string): Promise<void> {
    while (!this.held.has(token)) await once(this.events, 'held')
  }

  /** Lets the answer for this token through, once it is there. */
  async release (token: string): Promise<void> {
    await this.answered(token)
    this.held.get(token)?.()
    this.held.delete(token)
  }
}
