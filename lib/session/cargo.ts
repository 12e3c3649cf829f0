import type { OfflineEntry } from '../offline/offline-entry.js'
import { Delivery } from '../routing/delivery.js'

/** A message that another device of the user has too: what this one misses of them is its own. */
export class DeviceCopy {
  constructor (readonly delivery: Delivery) {}
}

/** A live message for one device. */
export type LiveCargo = Delivery | DeviceCopy

/** What is on its way to a socket and must not be lost with it. */
export type Cargo = LiveCargo | OfflineEntry

export function isLive (cargo: Cargo): cargo is LiveCargo {
  return cargo instanceof Delivery || cargo instanceof DeviceCopy
}

/** The message itself. */
export function deliveryOf (cargo: Cargo): Delivery {
  return cargo instanceof Delivery ? cargo : cargo.delivery
}
