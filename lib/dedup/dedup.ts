import type { Message } from '../protocol/message.js'

/** How long a sent message is remembered. */
export const DEDUP_WINDOW_MS = 10 * 60 * 1000

/** How a message that was first to reserve its id ended. */
export interface FirstOutcome {
  sent: boolean
  /** Why not, where not sent. */
  reason: string
}

/** What a message's id says about it. */
export type Reservation =
  /** First of its kind: process it, then `commit` or `release`. */
  | { kind: 'first', reserved: Reserved }
  /** Sent before. */
  | { kind: 'duplicate' }
  /** The same id was used for other content. */
  | { kind: 'conflict' }
  /** The same message is being processed; `outcome` is how that ends. */
  | { kind: 'in_flight', outcome: Promise<FirstOutcome> }

/** A reserved id. Held by the one who processes the message. */
export interface Reserved {
  readonly tenantId: string
  readonly key: string
  readonly fingerprint: number
}

/**
 * Finds repeated messages. Both homes keep these sentences:
 * - Messages are the same when tenant, sender, device and msg_id are. The same with other content is a conflict.
 * - A message is remembered for 10 minutes from its commit on; a released one leaves no trace, so that a retry of a
 *   failed message is processed.
 * - Of several copies at once one is first, and the others learn its outcome.
 * - Reserving never rejects: what cannot be known counts as first.
 */
export interface Dedup {
  reserve (message: Message): Reservation | Promise<Reservation>
  /** The message was sent: repeats of it are duplicates from now on. */
  commit (reserved: Reserved): void
  /** The message failed: it leaves no trace. */
  release (reserved: Reserved, reason: string): void
  /** Forgets a tenant that is gone. */
  forget (tenantId: string): void
}
