import { randomUUID } from 'node:crypto'
import { EventEmitter } from 'node:events'
import { create } from '@bufbuild/protobuf'
import { HeldMessageSchema, type HeldMessage } from '../gen/mics/node/v1/node_pb.js'
import { Counts } from '../metrics/tenant-metrics.js'
import type { Member, NodeDirectory } from '../node-directory/node-directory.js'
import type { OfflineEntry } from '../offline/offline-entry.js'
import { encodeMessageRequest, messageSize } from '../protocol/server-frame.js'
import type { Delivery } from '../routing/delivery.js'
import { deliverSize, encodeArrival, encodeDeliver, encodeHold } from './item-codec.js'
import type { ItemResult } from './item-result.js'
import { MAX_BATCH_BYTES } from './node-rpc-limits.js'
import { PeerItem, type ItemKind, type Unanswered } from './peer-item.js'
import { PeerLink, type PeerLinkOptions } from './peer-link.js'
import type { Arrival, Forwarded, Peers } from './peers.js'

/** What an item or a held message counts for beside its message and ids. */
const ITEM_OVERHEAD_BYTES = 256

const UNREACHABLE: Forwarded = { kind: 'unreachable' }
const NO_POSITIONS: readonly number[] = []

export interface PeerLinksEvents {
  /** The member does not answer to its key: the directory is out of date. */
  disowned: [member: Member]
}

/** The other members over the node RPC: a link to each, made when it is first needed, closed when the member leaves. */
export class PeerLinks extends EventEmitter<PeerLinksEvents> implements Peers {
  /** Settled calls by how they ended. */
  readonly calls: Readonly<Record<ItemKind, Counts<'answered' | Unanswered>>> = {
    deliver: newCounts(), hold: newCounts(), arrive: newCounts(),
  }

  private readonly links = new Map<string, PeerLink>()
  /** Links whose member has left, until all is settled that they were asked for. */
  private readonly retiring = new Set<PeerLink>()
  private readonly processId = randomUUID()
  private lastId = 0
  private isClosing = false

  constructor (
    private readonly directory: NodeDirectory,
    private readonly options: PeerLinkOptions,
    private readonly now: () => number = Date.now
  ) {
    super()
    directory.on('left', this.onLeft)
  }

  /** Bytes of what waits for peers and of what they have not answered, by node id. */
  get queueBytes (): ReadonlyMap<string, number> {
    return this.byNode(link => link.queueBytes)
  }

  /** Breaker states by node id: 0 closed, 1 open, 2 half-open. */
  get breakerStates (): ReadonlyMap<string, number> {
    return this.byNode(link => link.breakerState)
  }

  async deliver (
    memberKey: string, delivery: Delivery, userIds: readonly string[], shared: ReadonlySet<string>
  ): Promise<Forwarded> {
    const { message } = delivery
    const span = message.span?.child('mics.forward', 'client', {
      'mics.peer': this.directory.get(memberKey)?.nodeId ?? memberKey, 'mics.users': userIds.length,
    })
    const deliver = {
      message: delivery.encodedMessage,
      userIds,
      shared: shared.size === 0 ? NO_POSITIONS : positionsOf(userIds, shared),
      seq: delivery.seq,
      traceparent: span?.traceparent ?? message.span?.traceparent ?? '',
    }
    const size = deliverSize(deliver)
    const result = await this.call(memberKey, 'deliver', message.tenantId, size,
      id => encodeDeliver(id, deliver, size))
    if (result === undefined) span?.fail('unreachable')
    else if (result.failed) span?.fail('failed')
    else span?.set({ 'mics.devices': result.count })
    span?.end()
    if (result === undefined || result.failed) return UNREACHABLE
    return {
      kind: 'answered',
      missing: at(userIds, result.missing),
      moved: at(userIds, result.moved),
      devices: result.count,
    }
  }

  /** Entries of one tenant. Many go as several items, one after the other. */
  async hold (
    memberKey: string, entries: readonly OfflineEntry[], isHandover: boolean
  ): Promise<number | undefined> {
    let taken = 0
    while (taken < entries.length) {
      const { part, bytes } = nextPart(entries, taken)
      const { nodeId } = this.directory.get(memberKey) ?? { nodeId: memberKey }
      const span = entries[taken].delivery.message.span?.child('mics.buffer', 'client', { 'mics.peer': nodeId })
      const result = await this.call(memberKey, 'hold', entries[taken].tenantId, bytes,
        id => encodeHold(id, part.map((entry, i) => heldMessage(entry, part[i - 1], this.now())), isHandover))
      if (result === undefined || result.failed) span?.fail(result === undefined ? 'unreachable' : 'failed')
      else span?.set({ 'mics.users': result.count })
      span?.end()
      if (result === undefined || result.failed) return taken > 0 ? taken : undefined
      taken += Math.min(result.count, part.length)
      if (result.count < part.length) break
    }
    return taken
  }

  async arrive (memberKey: string, arrival: Arrival): Promise<boolean> {
    const { tenantId, userId, deviceId } = arrival
    const bytes = tenantId.length + userId.length + deviceId.length
    const result = await this.call(memberKey, 'arrive', tenantId, bytes, id => encodeArrival(id, { ...arrival, memberKey: this.directory.self.key }))
    return result !== undefined && !result.failed
  }

  /** Takes no more calls, lets those under way end, within their time or until `deadline` aborts, and closes. */
  async close (deadline?: AbortSignal): Promise<void> {
    this.isClosing = true
    this.directory.off('left', this.onLeft)
    await this.settled(deadline)
    for (const link of this.all()) link.close()
    this.links.clear()
    this.retiring.clear()
  }

  private call (
    memberKey: string, kind: ItemKind, tenantId: string, bytes: number, encode: (id: number) => Uint8Array
  ): Promise<ItemResult | undefined> {
    const link = this.link(memberKey)
    if (link === undefined) {
      this.calls[kind].add('closed')
      return Promise.resolve(undefined)
    }
    return new Promise(resolve => {
      const id = ++this.lastId
      link.call(new PeerItem(id, kind, tenantId, bytes + ITEM_OVERHEAD_BYTES, () => encode(id),
        outcome => resolve(typeof outcome === 'string' ? undefined : outcome)))
    })
  }

  private link (memberKey: string): PeerLink | undefined {
    const member = this.directory.get(memberKey)
    if (this.isClosing || member === undefined || memberKey === this.directory.self.key) return undefined
    let link = this.links.get(memberKey)
    if (link === undefined) {
      const created: PeerLink = new PeerLink(this.processId, member, this.options, {
        onRetired: () => this.retiring.delete(created),
        onDisowned: () => this.emit('disowned', member),
        onSettled: ({ kind }, unanswered) => {
          this.calls[kind].add(unanswered ?? 'answered')
          this.onSettled?.()
        },
      })
      link = created
      this.links.set(memberKey, link)
    }
    return link
  }

  private onSettled?: () => void

  private async settled (deadline?: AbortSignal): Promise<void> {
    const pending = (): number => this.all().reduce((sum, link) => sum + link.pending, 0)
    if (pending() === 0 || deadline?.aborted === true) return
    await new Promise<void>(resolve => {
      this.onSettled = () => { if (pending() === 0) resolve() }
      deadline?.addEventListener('abort', () => resolve(), { once: true })
    })
  }

  private byNode (read: (link: PeerLink) => number): Map<string, number> {
    const values = new Map<string, number>()
    // While a node comes back it may be there twice; what counts is the one in trouble.
    for (const link of this.all()) {
      values.set(link.nodeId, Math.max(read(link), values.get(link.nodeId) ?? 0))
    }
    return values
  }

  private readonly onLeft = ({ key }: Member): void => {
    const link = this.links.get(key)
    if (link === undefined) return
    this.links.delete(key)
    this.retiring.add(link)
    link.retire()
  }

  private all (): PeerLink[] {
    return [...this.links.values(), ...this.retiring]
  }
}

function newCounts (): Counts<'answered' | Unanswered> {
  return new Counts('answered', 'timeout', 'broken', 'breaker_open', 'queue_full', 'too_large', 'refused', 'closed')
}

function positionsOf (userIds: readonly string[], shared: ReadonlySet<string>): number[] {
  const positions: number[] = []
  userIds.forEach((userId, i) => { if (shared.has(userId)) positions.push(i) })
  return positions
}

/** Positions that are none are a fault of the peer's, and left out. */
function at (userIds: readonly string[], positions: readonly number[]): string[] {
  return positions.filter(position => position < userIds.length).map(position => userIds[position])
}

/** As many entries, from one on, as go together; at least one. */
function nextPart (entries: readonly OfflineEntry[], from: number): { part: OfflineEntry[], bytes: number } {
  let bytes = 0
  let to = from
  while (to < entries.length) {
    const { delivery } = entries[to]
    const isRepeat = to > from && delivery === entries[to - 1].delivery
    const size = (isRepeat ? 0 : messageSize(delivery.message)) + ITEM_OVERHEAD_BYTES
    if (to > from && bytes + size > MAX_BATCH_BYTES / 2) break
    bytes += size
    to++
  }
  return { part: entries.slice(from, to), bytes }
}

/** One message for many users of a group is sent once. */
function heldMessage (entry: OfflineEntry, before: OfflineEntry | undefined, now: number): HeldMessage {
  return create(HeldMessageSchema, {
    message: entry.delivery === before?.delivery ? undefined : encodeMessageRequest(entry.delivery.message),
    userId: entry.userId,
    deviceId: entry.deviceId,
    anyDeviceInstead: entry.anyDeviceInstead,
    exceptDeviceId: entry.exceptDeviceId ?? '',
    ttlMs: BigInt(Math.max(0, Math.ceil(entry.expiresAt - now))),
    seq: BigInt(entry.delivery.seq),
  })
}
