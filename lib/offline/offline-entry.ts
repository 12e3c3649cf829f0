import type { Delivery } from '../routing/delivery.js'

/** A message that waits in the offline buffer for one user. */
export interface OfflineEntry {
  readonly tenantId: string
  readonly userId: string
  readonly delivery: Delivery
  /** Unix milliseconds. */
  readonly expiresAt: number
  /** Only for this device of the user. Empty: for whichever device connects first. */
  readonly deviceId: string
  /** No other device of the user got it: when `deviceId` is not connected, any device may have it. */
  readonly anyDeviceInstead: boolean
  /** Never for this device: the message came from it. */
  readonly exceptDeviceId?: string
  /** Neighbours in the tenant's order of arrival; kept by the buffer. */
  previous?: OfflineEntry
  next?: OfflineEntry
}
