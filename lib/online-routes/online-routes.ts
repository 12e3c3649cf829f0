/** How a registration ended. */
export type Registration =
  | {
    kind: 'registered'
    /** The position of this connection among those of its device; ascending, whichever nodes they came to. */
    order: number
    /** Whether the device was connected already, here or elsewhere. */
    replaces: boolean
    /**
     * Keys of the other live members that must hear of it before the device is served: those where the user has a
     * device, where this device was, and those that hold messages for the user.
     */
    elsewhere: readonly string[]
  }
  /** The user has as many devices connected as it may. */
  | { kind: 'refused' }
  /** Only where an `order` was given: a newer connection of the device has registered meanwhile. */
  | { kind: 'replaced' }

/**
 * Who is online on which member, by device, and which members hold offline messages for whom. Both homes keep these
 * sentences:
 * - Of several connections of a device the one with the highest order has the route; `unregister` with another order
 *   changes nothing, so registering and unregistering may arrive in any order.
 * - Routes and holdings of a member that is not in the node directory count for nothing.
 * - `register` and `hold` for one user are one after the other: either the registration sees the holder, or the hold
 *   sees the route. Nothing is held for a user who is online elsewhere without one of the two knowing.
 * - What one member asks for one user takes effect in the order asked.
 * - Every method rejects when the store cannot be reached, and may then have taken effect. A registration without an
 *   order that did is undone when the store is back, at the latest before the user registers here again.
 */
export interface OnlineRoutes {
  /**
   * Puts a device's route on this member.
   * @param maxDevices devices the user may have connected at once; 0: no limit. One that is connected already is let
   *   in whatever the limit.
   * @param order given when a connection registers again: the order it had. Then there is no limit either.
   */
  register (
    tenantId: string, userId: string, deviceId: string, maxDevices: number, order?: number
  ): Promise<Registration>
  /** Removes a route of this member, where it is still that of this connection. */
  unregister (tenantId: string, userId: string, deviceId: string, order: number): Promise<void>
  /** Keys of the other live members where the user has a device. Each once. */
  lookup (tenantId: string, userId: string): Promise<readonly string[]>
  /**
   * Says how many offline messages this member holds for a user; 0: none any more. Returns what `lookup` would.
   */
  hold (tenantId: string, userId: string, messages: number): Promise<readonly string[]>
  /** Removes all that a dead member has left behind. Where it fails half way, the rest is removed the next time. */
  bury (memberKey: string): Promise<Buried>
}

export interface Buried {
  /** Routes removed. */
  routes: number
  /** Offline messages that ended with the member, by tenant. */
  lostMessages: ReadonlyMap<string, number>
}
