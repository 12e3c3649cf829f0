import type { OfflineEntry } from '../offline/offline-entry.js'
import type { Delivery } from '../routing/delivery.js'

/** What a peer did with a message. */
export type Forwarded =
  | {
    kind: 'answered'
    /** Users who have no device there. */
    missing: readonly string[]
    /** Users who got it there, but lately connected to another node too. */
    moved: readonly string[]
    /** Devices that got it. */
    devices: number
  }
  /** Refused, timed out, not done, or the peer is gone. It may have got it all the same. */
  | { kind: 'unreachable' }

/** A device that has connected to this node. */
export interface Arrival {
  tenantId: string
  userId: string
  deviceId: string
  /** Older connections of the device have a lower one. */
  order: number
}

/** The other members, as places to send to. No call rejects; what a tenant sends to a peer stays in order. */
export interface Peers {
  /**
   * Takes a message to those of its recipients who are with the peer.
   * @param shared users of `userIds` who get it on another node too
   */
  deliver (
    memberKey: string, delivery: Delivery, userIds: readonly string[], shared: ReadonlySet<string>
  ): Promise<Forwarded>
  /**
   * Puts entries into the peer's offline buffer. How many it took, from the first on; undefined: it cannot be reached,
   * or takes nothing more, and they are to be kept elsewhere.
   * @param isHandover they come from the offline buffer here
   */
  hold (memberKey: string, entries: readonly OfflineEntry[], isHandover: boolean): Promise<number | undefined>
  /** Tells the peer of a device. True when it has closed its older connection and handed over what it held. */
  arrive (memberKey: string, arrival: Arrival): Promise<boolean>
}

/** What became of a message here. */
export interface Delivered {
  /** Users who have no device here. */
  missing: readonly string[]
  /** Users who got it here, but lately connected to another node too. */
  moved: readonly string[]
  /** Devices that got it. */
  devices: number
  /**
   * What is here for users in `missing` is on its way to where they are: the answer waits for it, because the peer will
   * send the message there, and it must not come before.
   */
  settled?: Promise<unknown>
}

/** What this node does for its peers. */
export interface PeerService {
  /**
   * Hands a message to the devices here; never to another node.
   * @param traceparent the peer's span that this is part of; empty or none: it is not traced
   */
  deliver (
    delivery: Delivery, userIds: readonly string[], shared: ReadonlySet<string>, traceparent?: string
  ): Delivered
  /**
   * Puts entries into the offline buffer. How many it took; undefined: this node takes nothing more. Resolves when they
   * are where their user is.
   * @param isHandover they come from the peer's offline buffer
   */
  hold (entries: OfflineEntry[], isHandover: boolean): Promise<number | undefined>
  /** Closes the older connection of the device, hands over to `memberKey` what is held for the user. */
  arrive (memberKey: string, arrival: Arrival): Promise<void>
}
