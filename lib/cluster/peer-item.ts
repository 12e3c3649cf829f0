import type { ItemResult } from './item-result.js'

export type ItemKind = 'deliver' | 'hold' | 'arrive'

/** Why a call was not answered; also a label of the metric. */
export type Unanswered =
  /** Not within its time. */
  | 'timeout'
  /** The stream broke, too often or too late to send it again, or could not be established. */
  | 'broken'
  | 'breaker_open'
  /** Too much waits for the peer, or for it and this tenant. */
  | 'queue_full'
  | 'too_large'
  /** The peer does not take us: it is another member by now, or its token is another. */
  | 'refused'
  /** The peer has left, or this node is closing. */
  | 'closed'

/** One call to a peer, from when it is made until it is settled. */
export class PeerItem {
  /** Times it went out. */
  sends = 0
  /** In the queue; otherwise it is under way, or settled. */
  isWaiting = false
  /** Neighbours in its tenant's queue; kept by the queue. */
  previous?: PeerItem
  next?: PeerItem

  /**
   * @param tenantId whose queue it waits in
   * @param bytes what it counts for in queues and batches
   * @param encode the serialized Item, made anew whenever it is sent
   * @param settled called once, with the peer's result or with why there is none
   */
  constructor (
    readonly id: number,
    readonly kind: ItemKind,
    readonly tenantId: string,
    readonly bytes: number,
    readonly encode: () => Uint8Array,
    readonly settled: (outcome: ItemResult | Unanswered) => void
  ) {}

  /** The peer answers when it has done something that takes time, such as handing over messages. */
  get isSlow (): boolean {
    return this.kind !== 'deliver'
  }
}
