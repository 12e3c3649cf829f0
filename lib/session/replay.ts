import type { TenantSettings } from '../config/gateway-config.js'
import type { Connections } from '../connections/connections.js'
import type { Outbound } from '../connections/outbound.js'
import type { TenantMetrics } from '../metrics/tenant-metrics.js'
import type { OfflineBuffer } from '../offline/offline-buffer.js'
import type { Message } from '../protocol/message.js'
import { Delivery } from '../routing/delivery.js'
import { deliveryOf, type Cargo, type LiveCargo } from './cargo.js'
import { pullOfflineMessages, type OfflinePullHooks } from './offline-pull.js'

export interface ReplayDeps {
  offline: OfflineBuffer
  connections: Connections
  hooks: OfflinePullHooks
  /** Bytes of live messages that may wait for the replay to end. */
  maxBufferedBytes: number
}

/** The device that the replay is for. */
export interface ReplayTarget {
  readonly tenantId: string
  readonly userId: string
  readonly deviceId: string
  readonly traceId: string
  readonly metrics: TenantMetrics
  readonly isClosed: boolean
  /** Asks for `pump` at the end of this turn of the event loop. */
  schedule (): void
}

/**
 * What a device gets before live messages: what its tenant kept, then what this node kept for it. Live messages that
 * come meanwhile wait behind, in order. Goes as fast as the socket takes it.
 */
export class Replay {
  /** While this holds, live messages go to `hold`. */
  isActive = true
  private held: LiveCargo[] = []
  private heldBytes = 0
  private isPulling = false
  private pullHolds = false
  /** What this device got while the tenant's own store was read: the same message may come from there and from here. */
  private seen?: Set<string>
  private onRoom?: () => void

  constructor (
    private readonly deps: ReplayDeps,
    private readonly target: ReplayTarget,
    private readonly outbound: Outbound<Cargo>
  ) {}

  /** Something may have come into the offline buffer for this device. */
  wake (): void {
    this.isActive = true
    this.target.schedule()
  }

  /** Takes a live message to wait its turn. False: too many wait; this one is among them all the same, see `close`. */
  hold (cargo: LiveCargo): boolean {
    const delivery = deliveryOf(cargo)
    delivery.keep()
    const size = delivery.frame.length
    const fits = this.heldBytes === 0 || this.heldBytes + size <= this.deps.maxBufferedBytes
    this.held.push(cargo)
    this.heldBytes += size
    return fits
  }

  /** The socket has taken something. */
  continue (): void {
    this.onRoom?.()
    if (this.isActive) this.target.schedule()
  }

  /** Gives the socket what it has room for. */
  pump (): void {
    if (!this.isActive || this.pullHolds || !this.pumpOffline() || !this.pumpHeld()) return
    this.isActive = false
    if (!this.isPulling) this.seen = undefined
  }

  /** Delivers what the tenant kept. Live messages wait for it no longer than one hook call may take. */
  async pull (settings: TenantSettings): Promise<void> {
    const { hooks } = this.deps
    const { target, outbound } = this
    this.isPulling = true
    this.pullHolds = true
    this.seen = new Set()
    const release = (): void => {
      clearTimeout(timer)
      this.pullHolds = false
      this.wake()
    }
    const timer = setTimeout(release, hooks.timeoutMs)
    try {
      for await (const message of pullOfflineMessages(hooks, settings, target)) {
        if (!this.isFirstSight(message)) continue
        const { frame } = new Delivery(message, 0)
        while (!target.isClosed && !outbound.hasRoom(frame.length)) {
          await new Promise<void>(resolve => { this.onRoom = resolve })
        }
        if (target.isClosed) break
        outbound.send(frame)
        target.metrics.deliveries.add('offline_pull')
      }
    } finally {
      this.isPulling = false
      release()
    }
  }

  /** Whether the message has not come to this device before. Only looked at, and remembered, around a pull. */
  isFirstSight ({ userId, deviceId, msgId }: Pick<Message, 'userId' | 'deviceId' | 'msgId'>): boolean {
    if (this.seen === undefined) return true
    const key = `${userId}\0${deviceId}\0${msgId}`
    if (this.seen.has(key)) return false
    this.seen.add(key)
    return true
  }

  /** Ends the replay. Returns the live messages that still waited. */
  close (): LiveCargo[] {
    const { held } = this
    this.held = []
    this.onRoom?.()
    return held
  }

  /** Whether all of the offline buffer's messages for this device are on their way. */
  private pumpOffline (): boolean {
    const { offline, connections } = this.deps
    const { tenantId, userId, deviceId } = this.target
    const isOnline = (device: string): boolean => connections.ofDevice(tenantId, userId, device) !== undefined
    for (;;) {
      const entry = offline.peek(tenantId, userId, deviceId, isOnline)
      if (entry === undefined) return true
      const { delivery } = entry
      if (!this.outbound.hasRoom(delivery.frame.length)) return false
      offline.remove(entry)
      if (this.isFirstSight(delivery.message)) this.outbound.send(delivery.frame, entry)
      delivery.forgetFrame()
    }
  }

  /** Whether all live messages that waited are on their way. */
  private pumpHeld (): boolean {
    let sent = 0
    for (; sent < this.held.length; sent++) {
      const cargo = this.held[sent]
      const { frame, message } = deliveryOf(cargo)
      if (!this.outbound.hasRoom(frame.length)) break
      this.heldBytes -= frame.length
      if (this.isFirstSight(message)) this.outbound.send(frame, cargo)
    }
    this.held.splice(0, sent)
    return this.held.length === 0
  }
}
