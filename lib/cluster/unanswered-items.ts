import { MAX_UNANSWERED, MAX_UNANSWERED_BYTES } from './node-rpc-limits.js'
import type { PeerItem } from './peer-item.js'

/**
 * Items that are with a peer and not answered, within bounds: bytes and number of the quick ones, so that a slow peer
 * is noticed here; number of the slow ones, of which one tenant may have half. Slow ones do not count among the quick:
 * what takes its time holds up nothing else.
 */
export class UnansweredItems {
  private readonly items = new Map<number, PeerItem>()
  private quick = 0
  private quickBytes = 0
  private slow = 0
  private readonly slowOfTenant = new Map<string, number>()

  maySend (item: PeerItem): boolean {
    if (!item.isSlow) return this.quick < MAX_UNANSWERED && this.quickBytes < MAX_UNANSWERED_BYTES
    return this.slow < MAX_UNANSWERED && (this.slowOfTenant.get(item.tenantId) ?? 0) < MAX_UNANSWERED / 2
  }

  get (id: number): PeerItem | undefined {
    return this.items.get(id)
  }

  add (item: PeerItem): void {
    this.items.set(item.id, item)
    this.count(item, 1)
  }

  delete (item: PeerItem): void {
    if (this.items.delete(item.id)) this.count(item, -1)
  }

  /** All of them, in the order in which they went out; none is left in here. */
  takeAll (): PeerItem[] {
    const all = [...this.items.values()]
    for (const item of all) this.delete(item)
    return all
  }

  private count (item: PeerItem, sign: 1 | -1): void {
    if (!item.isSlow) {
      this.quick += sign
      this.quickBytes += sign * item.bytes
      return
    }
    this.slow += sign
    const ofTenant = (this.slowOfTenant.get(item.tenantId) ?? 0) + sign
    if (ofTenant > 0) this.slowOfTenant.set(item.tenantId, ofTenant)
    else this.slowOfTenant.delete(item.tenantId)
  }
}
