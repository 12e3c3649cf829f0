import type { Connections } from '../connections/connections.js'
import type { GroupMembers } from '../hooks/group-members.js'
import type { OfflineBuffer } from '../offline/offline-buffer.js'
import type { Message } from '../protocol/message.js'
import type { Session } from '../session/session.js'
import { Delivery } from './delivery.js'
import type { FanOut } from './fan-out.js'

/** What became of a message, in users. */
export interface DeliveryOutcome {
  /** A device took it. */
  delivered: number
  /** Not connected; the offline buffer holds it. */
  buffered: number
  /** Not connected, and not kept either. */
  skipped: number
}

export interface RouterLimits {
  /** Group members served at a stretch; then other work may have its turn. */
  groupChunkSize: number
  /** Offline members of a group for whom one message is kept. */
  groupOfflineMaxUsers: number
}

/** Takes messages to all devices that should get them. Never waits for a socket: each device has its own queue. */
export class Router {
  private seq = 0

  constructor (private readonly deps: {
    connections: Connections
    offline: OfflineBuffer
    fanOut: FanOut
    limits: RouterLimits
    now: () => number
  }) {}

  /** To every device of `to_user_id` and the sender's other devices. */
  toUser (from: Session, message: Message): DeliveryOutcome | Promise<DeliveryOutcome> {
    const delivery = new Delivery(message, ++this.seq)
    const outcome: DeliveryOutcome = { delivered: 0, buffered: 0, skipped: 0 }
    this.reach(from, delivery, message.toUserId, outcome, true)
    if (message.toUserId !== from.userId) this.syncSender(from, delivery, outcome)
    delivery.forgetFrame()
    return outcome
  }

  /** To every device of every member, each user once, and the sender's other devices. */
  async toGroup (from: Session, message: Message, members: GroupMembers): Promise<DeliveryOutcome> {
    const delivery = new Delivery(message, ++this.seq)
    const outcome: DeliveryOutcome = { delivered: 0, buffered: 0, skipped: 0 }
    const { groupChunkSize, groupOfflineMaxUsers } = this.deps.limits
    const seen = new Set([from.userId])
    const serveChunk = (): boolean => {
      for (const userId of members.take(groupChunkSize)) {
        if (userId === '' || seen.has(userId)) continue
        seen.add(userId)
        this.reach(from, delivery, userId, outcome, outcome.buffered < groupOfflineMaxUsers)
      }
      return members.isAtEnd
    }
    // A small group is served at once; the rest of a large one takes turns with all other work.
    if (!serveChunk()) await this.deps.fanOut.run(from.tenantId, serveChunk)
    this.syncSender(from, delivery, outcome)
    delivery.forgetFrame()
    return outcome
  }

  private reach (
    from: Session, delivery: Delivery, userId: string, outcome: DeliveryOutcome, mayBuffer: boolean
  ): void {
    if (this.toDevices(from, delivery, userId)) outcome.delivered++
    else if (mayBuffer && this.keep(from, delivery, userId)) outcome.buffered++
    else {
      outcome.skipped++
      from.metrics.offlineSkipped++
    }
  }

  /** A message that reaches nobody is no message: it will be FAILED, and a retry must not show twice. */
  private syncSender (from: Session, delivery: Delivery, { delivered, buffered }: DeliveryOutcome): void {
    if (delivered + buffered > 0 && from.settings.syncSenderDevices) this.toDevices(from, delivery, from.userId)
  }

  /** Hands the message to the user's devices but the one it came from. Whether there was any. */
  private toDevices (from: Session, delivery: Delivery, userId: string): boolean {
    let devices = 0
    const sessions = this.deps.connections.ofUser(from.tenantId, userId)
    // The device that a message came from has it, even where it is no longer connected.
    const isShared = sessions.length > 1 || userId === from.userId
    for (const session of sessions) {
      if (session === from) continue
      session.deliver(delivery, isShared)
      devices++
    }
    if (devices > 0) from.metrics.deliveries.add('local', devices)
    return devices > 0
  }

  private keep (from: Session, delivery: Delivery, userId: string): boolean {
    const kept = this.deps.offline.add({
      tenantId: from.tenantId,
      userId,
      deviceId: '',
      delivery,
      expiresAt: this.deps.now() + from.settings.offlineBufferTtlSeconds * 1000,
      anyDeviceInstead: false,
      // A note to oneself is for the other devices.
      exceptDeviceId: userId === from.userId ? from.deviceId : undefined,
    })
    if (kept) {
      from.metrics.offlineBuffered++
      from.metrics.deliveries.add('offline_buffer')
    }
    return kept
  }
}
