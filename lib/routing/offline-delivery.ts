import type { Peers } from '../cluster/peers.js'
import { noteRecipient } from '../message-trace/note.js'
import type { NodeDirectory } from '../node-directory/node-directory.js'
import { homeOf } from '../offline/home.js'
import type { OfflineBuffer } from '../offline/offline-buffer.js'
import type { OfflineEntry } from '../offline/offline-entry.js'
import type { OfflineIndex } from '../offline/offline-index.js'
import { withinMs } from '../timing/within-ms.js'
import type { Session } from '../session/session.js'
import type { Delivery } from './delivery.js'
import type { OfflineEvents } from './offline-events.js'

/**
 * Sees to messages for users who are not connected: announces them to a tenant that keeps them itself, keeps all others
 * in the buffer of the user's home node.
 */
export class OfflineDelivery {
  constructor (private readonly deps: {
    directory: Pick<NodeDirectory, 'members' | 'self'>
    peers: Pick<Peers, 'hold'>
    events: OfflineEvents
    buffer: OfflineBuffer
    index: Pick<OfflineIndex, 'settle'>
    /** Milliseconds a message waits for its recipient to be found elsewhere. */
    settleMs: number
    now: () => number
  }) {}

  /**
   * Whether the user's messages are announced rather than kept. A note to oneself is not: its sender is connected, only
   * the other devices are not.
   */
  announces (from: Session, userId: string): boolean {
    return from.settings.offlineUseHookPull && userId !== from.userId
  }

  /** Announces the message for one user. False: it is to be kept, because it cannot or need not be announced. */
  announce (from: Session, delivery: Delivery, userId: string): boolean {
    if (!this.announces(from, userId)) return false
    if (!this.deps.events.offlineMessage(from, delivery, userId)) {
      noteRecipient(delivery.message, 'event', 'not queued', userId)
      return false
    }
    noteRecipient(delivery.message, 'event', 'OFFLINE_MESSAGE', userId)
    from.metrics.deliveries.add('offline_event')
    return true
  }

  /** Keeps the message for one user here, where there is no other node. Whether it is kept. */
  keepAlone (from: Session, delivery: Delivery, userId: string): boolean {
    return this.add(from, this.entryFor(from, delivery, userId))
  }

  /**
   * Keeps the message for these users, each at home, and here where the home cannot be reached. Resolves with how many
   * it is kept for, once those of them who are online after all are about to get it.
   */
  async keepAtHome (from: Session, delivery: Delivery, userIds: readonly string[]): Promise<number> {
    const { directory } = this.deps
    const members = directory.members()
    const byHome = new Map<string, OfflineEntry[]>()
    for (const userId of userIds) {
      const home = homeOf(members, from.tenantId, userId)?.key ?? directory.self.key
      const entries = byHome.get(home)
      const entry = this.entryFor(from, delivery, userId)
      if (entries === undefined) byHome.set(home, [entry])
      else entries.push(entry)
    }
    const kept = await Promise.all([...byHome].map(([home, entries]) => this.keepAt(home, from, entries)))
    return kept.reduce((sum, count) => sum + count, 0)
  }

  /** Keeps the message for these users here. Resolves with how many, when they have it or no way leads to them now. */
  async keepHere (from: Session, delivery: Delivery, userIds: readonly string[]): Promise<number> {
    return await this.settle(from, userIds.map(userId => this.entryFor(from, delivery, userId)))
  }

  private async keepAt (home: string, from: Session, entries: OfflineEntry[]): Promise<number> {
    const { directory, peers } = this.deps
    if (home !== directory.self.key) {
      const taken = await peers.hold(home, entries, false)
      noteHome(home, entries, taken)
      if (taken !== undefined) {
        from.metrics.offlineBuffered += taken
        from.metrics.deliveries.add('offline_buffer', taken)
        return taken
      }
    }
    return await this.settle(from, entries)
  }

  private async settle (from: Session, entries: OfflineEntry[]): Promise<number> {
    const { index, settleMs } = this.deps
    const kept = entries.filter(entry => this.add(from, entry))
    // A peer that does not answer must not hold up what comes behind: that waits here, too.
    if (kept.length > 0) {
      await withinMs(settleMs, Promise.all(kept.map(({ tenantId, userId }) => index.settle(tenantId, userId))))
    }
    return kept.length
  }

  private add (from: Session, entry: OfflineEntry): boolean {
    if (!this.deps.buffer.add(entry)) return false
    noteRecipient(entry.delivery.message, 'buffer', 'kept here', entry.userId)
    entry.delivery.message.span?.buffered()
    from.metrics.offlineBuffered++
    from.metrics.deliveries.add('offline_buffer')
    return true
  }

  private entryFor (from: Session, delivery: Delivery, userId: string): OfflineEntry {
    return {
      tenantId: from.tenantId,
      userId,
      deviceId: '',
      delivery,
      expiresAt: this.deps.now() + from.settings.offlineBufferTtlSeconds * 1000,
      anyDeviceInstead: false,
      // A note to oneself is for the other devices.
      exceptDeviceId: userId === from.userId ? from.deviceId : undefined,
    }
  }
}

/** What the home node of these users made of their message. */
function noteHome (home: string, entries: readonly OfflineEntry[], taken: number | undefined): void {
  const [{ delivery: { message }, userId }] = entries
  if (taken === undefined) noteRecipient(message, 'peer', 'no answer', entries.length === 1 ? userId : '', home, 'home', entries.length)
  for (const entry of entries.slice(0, taken ?? 0)) noteRecipient(message, 'buffer', 'kept at home', entry.userId, home)
}
