import type { Session } from '../session/session.js'
import type { Delivery } from './delivery.js'

/** Tells tenants that keep offline messages themselves what to keep. */
export interface OfflineEvents {
  /**
   * Announces the message to the tenant as one that waits for this user. Returns at once. False: it could not be
   * queued, and the tenant will not hear of it.
   */
  offlineMessage (from: Session, delivery: Delivery, userId: string): boolean
}
