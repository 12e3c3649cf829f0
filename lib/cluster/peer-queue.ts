import type { PeerItem } from './peer-item.js'

/** Bytes that a tenant may send in its turn: what one tenant has ready delays another by no more than this. */
const TURN_BYTES = 16 * 1024

interface Lane {
  /** Of items not yet settled, under way included: they may have to be sent again. */
  bytes: number
  first?: PeerItem
  last?: PeerItem
  /** Bytes it may send before it is the next one's turn. */
  credit: number
}

/**
 * Items for one peer, a queue for each tenant. Tenants take turns by bytes (deficit round robin), so that a flood of
 * one delays no item of another; items of a tenant keep their order. Bounded for the peer, and for a tenant at half of
 * that.
 */
export class PeerQueue {
  /** Of items not yet settled. */
  bytes = 0
  private readonly lanes = new Map<string, Lane>()
  /** Lanes with something waiting; the first one's turn it is. */
  private readonly waiting = new Map<string, Lane>()

  constructor (private readonly maxBytes: number) {}

  get isEmpty (): boolean {
    return this.waiting.size === 0
  }

  /** False: it has no room. Else it waits here and counts until it is released. */
  add (item: PeerItem): boolean {
    let lane = this.lanes.get(item.tenantId)
    // A single item always fits: its own size has a bound.
    if (this.bytes > 0 && this.bytes + item.bytes > this.maxBytes) return false
    if (lane !== undefined && lane.bytes + item.bytes > this.maxBytes / 2) return false
    if (lane === undefined) this.lanes.set(item.tenantId, lane = { bytes: 0, credit: 0 })
    lane.bytes += item.bytes
    this.bytes += item.bytes
    item.previous = lane.last
    if (lane.last === undefined) lane.first = item
    else lane.last.next = item
    lane.last = item
    item.isWaiting = true
    this.waiting.set(item.tenantId, lane)
    return true
  }

  /** The item is settled, wherever it was. */
  release (item: PeerItem): void {
    const lane = this.lanes.get(item.tenantId) as Lane
    if (item.isWaiting) this.unlink(lane, item)
    lane.bytes -= item.bytes
    this.bytes -= item.bytes
    if (lane.bytes === 0) this.lanes.delete(item.tenantId)
  }

  /** Takes up to `maxBytes` of what may be sent now, or one larger item. A tenant whose next one may not, waits. */
  take (maxBytes: number, maySend: (item: PeerItem) => boolean): PeerItem[] {
    const batch: PeerItem[] = []
    let room = maxBytes
    let stuck = 0
    while (room > 0 && stuck < this.waiting.size) {
      const [[tenantId, lane]] = this.waiting
      const item = lane.first as PeerItem
      if (!maySend(item)) {
        stuck++
        this.nextTurn(tenantId, lane)
        continue
      }
      stuck = 0
      if (lane.credit < item.bytes) {
        lane.credit += TURN_BYTES
        this.nextTurn(tenantId, lane)
        continue
      }
      if (batch.length > 0 && item.bytes > room) break
      lane.credit -= item.bytes
      room -= item.bytes
      this.unlink(lane, item)
      batch.push(item)
    }
    return batch
  }

  /** Puts items that were under way before all others, in the order in which they went out. */
  putBack (items: PeerItem[]): void {
    for (const item of items.toReversed()) {
      const lane = this.lanes.get(item.tenantId) as Lane
      item.next = lane.first
      if (lane.first === undefined) lane.last = item
      else lane.first.previous = item
      lane.first = item
      item.isWaiting = true
      this.waiting.set(item.tenantId, lane)
    }
  }

  /** All that waits, without taking it out. */
  list (): PeerItem[] {
    const items: PeerItem[] = []
    for (const { first } of this.waiting.values()) {
      for (let item = first; item !== undefined; item = item.next) items.push(item)
    }
    return items
  }

  private nextTurn (tenantId: string, lane: Lane): void {
    this.waiting.delete(tenantId)
    this.waiting.set(tenantId, lane)
  }

  private unlink (lane: Lane, item: PeerItem): void {
    if (item.previous === undefined) lane.first = item.next
    else item.previous.next = item.next
    if (item.next === undefined) lane.last = item.previous
    else item.next.previous = item.previous
    item.previous = item.next = undefined
    item.isWaiting = false
    if (lane.first !== undefined) return
    lane.credit = 0
    this.waiting.delete(item.tenantId)
  }
}
