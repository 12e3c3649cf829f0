import type { Message } from '../protocol/message.js'
import { DEDUP_WINDOW_MS, type Dedup, type FirstOutcome, type Reservation, type Reserved } from './dedup.js'
import { fingerprintOf, keyOf } from './message-identity.js'

interface InFlight extends Reserved {
  waiting: Array<(outcome: FirstOutcome) => void>
}

/** Small integers both: there may be a million of these, and V8 keeps such fields in the object itself. */
interface Remembered {
  fingerprint: number
  /** Milliseconds since this was made. */
  expiresAt: number
}

const DUPLICATE: Reservation = { kind: 'duplicate' }
const CONFLICT: Reservation = { kind: 'conflict' }

/**
 * Finds repeated messages. Keyed by (tenant, sender, device, msg_id); a message is remembered only once it was sent,
 * so that a retry of a failed one is processed. Bounded per tenant and for the node: beyond a bound the oldest are
 * forgotten early, at the node's bound those of the tenant that holds the most.
 */
export class MemoryDedup implements Dedup {
  /** Sent messages of each tenant, in the order in which they expire. */
  private readonly sent = new Map<string, Map<string, Remembered>>()
  private readonly inFlight = new Map<string, Map<string, InFlight>>()
  private readonly startedAt: number
  private size = 0
  /** Forgotten before their time. */
  forgottenEarly = 0

  constructor (
    private readonly limits: { maxEntriesPerTenant: number, maxEntries: number },
    private readonly clock: () => number = Date.now
  ) {
    this.startedAt = clock()
  }

  /** Sent messages remembered now. */
  get entries (): number {
    return this.size
  }

  reserve (message: Message): Reservation {
    const { tenantId } = message
    const key = keyOf(message)
    const fingerprint = fingerprintOf(message)
    const running = this.inFlight.get(tenantId)?.get(key)
    if (running !== undefined) {
      if (running.fingerprint !== fingerprint) return CONFLICT
      return { kind: 'in_flight', outcome: new Promise(resolve => running.waiting.push(resolve)) }
    }
    const remembered = this.sent.get(tenantId)?.get(key)
    if (remembered !== undefined && remembered.expiresAt > this.now()) {
      return remembered.fingerprint === fingerprint ? DUPLICATE : CONFLICT
    }
    const reserved: InFlight = { tenantId, key, fingerprint, waiting: [] }
    let ofTenant = this.inFlight.get(tenantId)
    if (ofTenant === undefined) this.inFlight.set(tenantId, ofTenant = new Map())
    ofTenant.set(key, reserved)
    return { kind: 'first', reserved }
  }

  /** The message was sent: repeats of it are duplicates from now on. */
  commit (reserved: Reserved): void {
    const { tenantId, key, fingerprint } = reserved
    let sent = this.sent.get(tenantId)
    if (sent === undefined) this.sent.set(tenantId, sent = new Map())
    // Deleted first, so that the map's order stays that of expiry.
    if (sent.delete(key)) this.size--
    sent.set(key, { fingerprint, expiresAt: this.now() + DEDUP_WINDOW_MS })
    this.size++
    this.makeRoom(sent)
    this.settle(reserved, { sent: true, reason: '' })
  }

  /** The message failed: it leaves no trace. */
  release (reserved: Reserved, reason: string): void {
    this.settle(reserved, { sent: false, reason })
  }

  /** Ends a reservation: whoever waits for its outcome learns it. Nothing is remembered. */
  settle (reserved: Reserved, outcome: FirstOutcome): void {
    const ofTenant = this.inFlight.get(reserved.tenantId)
    ofTenant?.delete(reserved.key)
    if (ofTenant?.size === 0) this.inFlight.delete(reserved.tenantId)
    for (const resolve of (reserved as InFlight).waiting) resolve(outcome)
  }

  /** Drops what has expired. */
  sweep (): void {
    const now = this.now()
    for (const [tenantId, sent] of this.sent) {
      for (const [key, { expiresAt }] of sent) {
        if (expiresAt > now) break
        sent.delete(key)
        this.size--
      }
      if (sent.size === 0) this.sent.delete(tenantId)
    }
  }

  forget (tenantId: string): void {
    this.size -= this.sent.get(tenantId)?.size ?? 0
    this.sent.delete(tenantId)
  }

  private now (): number {
    return this.clock() - this.startedAt
  }

  private makeRoom (sent: Map<string, Remembered>): void {
    if (sent.size > this.limits.maxEntriesPerTenant) this.forgetOldest(sent)
    if (this.size > this.limits.maxEntries) {
      let largest = sent
      for (const other of this.sent.values()) if (other.size > largest.size) largest = other
      this.forgetOldest(largest)
    }
  }

  /**
   * Forgets a sixteenth at once: finding the first key of a Map that lost its first keys is slow until the Map is
   * rebuilt, so it is not done once a message.
   */
  private forgetOldest (sent: Map<string, Remembered>): void {
    const now = this.now()
    let count = Math.ceil(sent.size / 16)
    for (const [key, { expiresAt }] of sent) {
      if (count-- === 0) break
      sent.delete(key)
      this.size--
      if (expiresAt > now) this.forgottenEarly++
    }
  }
}
