import type { Session } from '../session/session.js'
import { CloseCode } from '../protocol/close-codes.js'
import { TimerWheel } from './timer-wheel.js'

/** How late a silent connection may be noticed. */
const TICK_MS = 250
const SLOTS = 512

/** A connection on the two wheels. */
export interface Watched {
  readonly heartbeat: { slot: number, session: Session }
  readonly keepalive: { slot: number, session: Session }
}

/**
 * Closes connections that were silent for longer than their tenant's window, and pings all of them now and then so
 * that proxies keep them open. Two timers for all connections.
 */
export class Heartbeats {
  private readonly silence: TimerWheel<Watched['heartbeat']>
  private readonly pings: TimerWheel<Watched['keepalive']>

  /** @param keepaliveMs milliseconds between pings; 0: none */
  constructor (private readonly keepaliveMs: number, private readonly now: () => number = Date.now) {
    this.silence = new TimerWheel(TICK_MS, SLOTS, item => this.check(item))
    // Coarse enough for the interval to fit into one turn.
    this.pings = new TimerWheel(Math.max(TICK_MS, Math.ceil(keepaliveMs / (SLOTS - 2))), SLOTS, item => {
      item.session.ping()
      this.pings.add(item, this.keepaliveMs)
    })
  }

  watch (session: Session): Watched {
    const watched: Watched = { heartbeat: { slot: -1, session }, keepalive: { slot: -1, session } }
    this.silence.add(watched.heartbeat, session.heartbeatWindowMs)
    if (this.keepaliveMs > 0) this.pings.add(watched.keepalive, this.keepaliveMs)
    return watched
  }

  unwatch (watched: Watched): void {
    this.silence.remove(watched.heartbeat)
    this.pings.remove(watched.keepalive)
  }

  close (): void {
    this.silence.close()
    this.pings.close()
  }

  private check (item: Watched['heartbeat']): void {
    const { session } = item
    const leftMs = session.heartbeatWindowMs - session.silentMs(this.now())
    if (leftMs > 0) this.silence.add(item, leftMs)
    else session.close(CloseCode.HEARTBEAT_TIMEOUT, 'heartbeat timeout')
  }
}
