import type { TenantSettings } from '../config/gateway-config.js'
import type { Connections } from '../connections/connections.js'
import type { Outbound } from '../connections/outbound.js'
import type { OfflineBuffer } from '../offline/offline-buffer.js'
import type { Message } from '../protocol/message.js'
import { encodeDelivery, messageSize } from '../protocol/server-frame.js'
import { deliveryOf, type Cargo, type LiveCargo } from './cargo.js'
import { pullOfflineMessages, type OfflinePullDeps, type Puller } from './offline-pull.js'
import { SeenMessages } from './seen-messages.js'

export interface ReplayDeps extends OfflinePullDeps {
  offline: OfflineBuffer
  connections: Connections
  /** Bytes that the outbound buffer may hold; and bytes of live messages that may wait for the replay to end. */
  maxBufferedBytes: number
}

/** The part of the outbound buffer that a replay fills: acks and live messages find room in the rest. */
const SHARE = 0.5

/** The device that the replay is for. */
export interface ReplayTarget extends Puller {
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
  private seen?: SeenMessages
  /** Of the page that was pulled last, what is not on its way yet. */
  private pulled: Message[] = []
  /** Resolves when `pulled` is empty. */
  private onPulled?: () => void

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
    if (this.isActive) this.target.schedule()
  }

  /** Gives the socket what it has room for. */
  pump (): void {
    if (!this.isActive) return
    if (this.pullHolds) {
      this.pumpPulled()
      return
    }
    // Once the pull has had its time, nothing waits for it any more.
    if (!this.pumpOffline() || !this.pumpHeld() || !this.pumpPulled()) return
    this.isActive = false
    if (!this.isPulling) this.seen = undefined
  }

  /**
   * Delivers what the tenant kept. Live messages wait for it no longer than one hook call may take. What the socket
   * does not take is not kept here: the tenant has it.
   */
  async pull (settings: TenantSettings): Promise<void> {
    const { deps, target } = this
    this.isPulling = true
    this.pullHolds = true
    this.seen = new SeenMessages()
    const release = (): void => {
      clearTimeout(timer)
      this.pullHolds = false
      this.wake()
    }
    const timer = setTimeout(release, deps.hooks.timeoutMs).unref()
    try {
      for await (const messages of pullOfflineMessages(deps, settings, target)) {
        if (!target.isClosed) await this.send(messages)
        if (target.isClosed) return
      }
    } finally {
      this.isPulling = false
      release()
    }
  }

  /** Whether the message has not come to this device before. Only looked at, and remembered, around a pull. */
  isFirstSight (message: Message): boolean {
    return this.seen === undefined || this.seen.add(message)
  }

  /** Ends the replay. Returns the live messages that still waited. */
  close (): LiveCargo[] {
    const { held } = this
    this.held = []
    this.pulled = []
    this.onPulled?.()
    return held
  }

  /** Resolves when these pulled messages are on their way, or the device is gone. */
  private async send (messages: Message[]): Promise<void> {
    if (messages.length === 0) return
    this.pulled = messages
    this.wake()
    await new Promise<void>(resolve => { this.onPulled = resolve })
  }

  private hasRoom (frameBytes: number): boolean {
    const { bytes } = this.outbound
    return bytes === 0 || bytes + frameBytes <= this.deps.maxBufferedBytes * SHARE
  }

  /** Whether all that was pulled is on its way. */
  private pumpPulled (): boolean {
    const { pulled, target } = this
    let sent = 0
    for (; sent < pulled.length && this.hasRoom(messageSize(pulled[sent])); sent++) {
      if (!this.isFirstSight(pulled[sent])) continue
      this.outbound.send(encodeDelivery(pulled[sent]))
      target.metrics.deliveries.add('offline_pull')
    }
    pulled.splice(0, sent)
    if (pulled.length > 0) return false
    this.onPulled?.()
    this.onPulled = undefined
    return true
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
      if (!this.hasRoom(delivery.frame.length)) return false
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
      if (!this.hasRoom(frame.length)) break
      this.heldBytes -= frame.length
      if (this.isFirstSight(message)) this.outbound.send(frame, cargo)
    }
    this.held.splice(0, sent)
    return this.held.length === 0
  }
}
