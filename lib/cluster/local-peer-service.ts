import type { Connections } from '../connections/connections.js'
import type { MessageTrace } from '../message-trace/message-trace.js'
import { noteRecipient } from '../message-trace/note.js'
import type { NodeDirectory } from '../node-directory/node-directory.js'
import type { Handovers } from '../offline/handovers.js'
import type { OfflineBuffer } from '../offline/offline-buffer.js'
import type { OfflineEntry } from '../offline/offline-entry.js'
import type { OfflineIndex } from '../offline/offline-index.js'
import type { Presence } from '../presence/presence.js'
import type { RecentArrivals } from '../presence/recent-arrivals.js'
import { idsLength, MAX_TRACED_IDS_LENGTH, type Message } from '../protocol/message.js'
import type { Delivery } from '../routing/delivery.js'
import { toLocalDevices } from '../routing/local-devices.js'
import type { LatelyReceived } from './lately-received.js'
import { withinMs } from '../timing/within-ms.js'
import { messageAttributes } from '../tracing/attributes.js'
import type { Span } from '../tracing/span.js'
import type { Tracing } from '../tracing/tracing.js'
import type { Arrival, Delivered, PeerService } from './peers.js'

/** How much longer than a message entries may take until they are where their user is. */
const HOLD_FACTOR = 5

/** What this node does for its peers. What comes from a peer is served here or reported back, never forwarded. */
export class LocalPeerService implements PeerService {
  /** Times that peers brought entries that this node did not take, because it drains. */
  refused = 0

  constructor (private readonly deps: {
    connections: Connections
    buffer: OfflineBuffer
    index: Pick<OfflineIndex, 'settle'>
    handovers: Pick<Handovers, 'isMoving'>
    directory: Pick<NodeDirectory, 'self' | 'members'>
    presence: Pick<Presence, 'arrived'>
    arrivals: RecentArrivals
    lately: LatelyReceived
    trace: Pick<MessageTrace, 'begin'>
    /** None: nothing is traced. */
    tracing?: Pick<Tracing, 'continue'>
    /** Milliseconds that a peer waits for what must come before its message; less than it waits for an answer. */
    settleMs: number
  }) {}

  deliver (
    delivery: Delivery, userIds: readonly string[], shared: ReadonlySet<string>, traceparent = ''
  ): Delivered {
    const { connections, arrivals, lately, index, settleMs } = this.deps
    const { message } = delivery
    const { tenantId } = message
    this.deps.trace.begin(message, 'peer')
    const span = traceparent === '' ? undefined : this.spanOf(message, traceparent)
    const missing: string[] = []
    const moved: string[] = []
    let devices = 0
    for (const userId of userIds) {
      const count = toLocalDevices(connections, delivery, userId, shared.has(userId))
      devices += count
      if (count === 0) {
        missing.push(userId)
        noteRecipient(message, 'missing', 'not here', userId)
      } else if (arrivals.has(tenantId, userId)) {
        moved.push(userId)
      }
    }
    delivery.forgetFrame()
    span?.set({ 'mics.devices': devices })
    span?.end()
    lately.delivered(delivery, userIds, missing)
    const settling = missing.map(userId => index.settle(tenantId, userId)).filter(promise => promise !== undefined)
    const settled = settling.length === 0 ? undefined : withinMs(settleMs, Promise.all(settling))
    return { missing, moved, devices, settled }
  }

  async hold (entries: OfflineEntry[], isHandover: boolean): Promise<number | undefined> {
    const { connections, index, handovers, settleMs } = this.deps
    if (this.isLeaving && entries.some(({ tenantId, userId }) => connections.ofUser(tenantId, userId).length === 0)) {
      this.refused++
      return undefined
    }
    let taken = 0
    while (taken < entries.length && this.take(entries[taken])) taken++
    const settling: Array<Promise<void> | undefined> = []
    for (const { tenantId, userId } of entries.slice(0, taken)) {
      for (const session of connections.ofUser(tenantId, userId)) session.wake()
      // A move that is under way here sees to it. The peer's own move must not wait for that: in a circle each would
      // wait for the other. A message's sender must, or the next one would overtake it.
      if (isHandover && handovers.isMoving(tenantId, userId)) continue
      settling.push(index.settle(tenantId, userId))
    }
    // The peer that waits for the answer gives it up later than a message's.
    await withinMs(HOLD_FACTOR * settleMs, Promise.all(settling))
    return taken
  }

  async arrive (memberKey: string, arrival: Arrival): Promise<void> {
    await this.deps.presence.arrived(memberKey, arrival)
  }

  /**
   * This node hands over what it holds and is nobody's home; a peer that has not heard of it may take it for one. What
   * that peer brings would move on behind its back, overtaken by what it sends next; or end with this node, when all
   * has been handed over. So the peer keeps it, and what follows goes behind it.
   */
  private get isLeaving (): boolean {
    const { directory } = this.deps
    const { self } = directory
    return self.isDraining && directory.members().some(member => member.key !== self.key && !member.isDraining)
  }

  private spanOf (message: Message, traceparent: string): Span | undefined {
    if (idsLength(message) > MAX_TRACED_IDS_LENGTH) return undefined
    return this.deps.tracing?.continue(traceparent, 'mics.deliver', 'server', messageAttributes(message))
  }

  /** Whether it is here now, or was before. */
  private take (entry: OfflineEntry): boolean {
    const { buffer, lately, trace } = this.deps
    const { delivery: { message }, userId } = entry
    // Those for several users come one after the other, with one message.
    if (message.trace === undefined) trace.begin(message, 'peer_buffer')
    if (!lately.hold(entry)) {
      noteRecipient(message, 'buffer', 'had it before', userId)
      return true
    }
    const isKept = buffer.add(entry)
    noteRecipient(message, 'buffer', isKept ? 'kept here' : 'no room', userId)
    if (!isKept) lately.forget(entry)
    return isKept
  }
}
