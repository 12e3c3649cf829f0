import type { Session } from '../../lib/session/session.js'

/** A session as far as the list of connections and its end know it. */
export class FakeSession {
  readonly closedWith: number[] = []
  finishing = false
  /** Lets `finish` resolve. */
  idle!: () => void
  private readonly finished = new Promise<void>(resolve => { this.idle = resolve })

  constructor (readonly tenantId: string, readonly userId: string, readonly deviceId: string, isIdle = true) {
    if (isIdle) this.idle()
  }

  finish (): Promise<void> {
    this.finishing = true
    return this.finished
  }

  close (code: number): void {
    this.closedWith.push(code)
  }

  get asSession (): Session {
    return this as unknown as Session
  }
}

export function fakeSession (tenantId: string, userId: string, deviceId: string): Session {
  return new FakeSession(tenantId, userId, deviceId).asSession
}
