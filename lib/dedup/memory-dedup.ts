import type { Message } from '../protocol/message.js'
import { DEDUP_WINDOW_MS, type Dedup, type FirstOutcome, type Reservation, type Reserved } from './dedup.js'
import { fingerprintOf, keyOf } from './message-identity.js'

interface InFlight extends Reserved {
  readonly ofTenant: TenantMessages
  /** Copies that wait for the outcome. */
  waiting?: Array<(outcome: FirstOutcome) => void>
}

/** Small integers both: there may be a million of these, and V8 keeps such fields in the object itself. */
interface Remembered {
  fingerprint: number
  /** Milliseconds since this was made. */
  expiresAt: number
}

interface TenantMessages {
  /** In the order in which they expire. */
  readonly sent: Map<string, Remembered>
  readonly inFlight: Map<string, InFlight>
}

const SENT: FirstOutcome = { sent: true, reason: '' }
const DUPLICATE: Reservation = { kind: 'duplicate' }
const CONFLICT: Reservation = { kind: 'conflict' }

/**
 * Finds repeated messages. Keyed by (tenant, sender, device, msg_id); a message is remembered only once it was sent,
 * so that a retry of a failed one is processed. Bounded per tenant and for the node: beyond a bound the oldest are
 * forgotten early, at the node's bound those of the tenant that holds the most.
 */
export class MemoryDedup implements Dedup {
  private readonly tenants = new Map<string, TenantMessages>()
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
    let ofTenant = this.tenants.get(tenantId)
    if (ofTenant === undefined) this.tenants.set(tenantId, ofTenant = { sent: new Map(), inFlight: new Map() })
    const running = ofTenant.inFlight.get(key)
    if (running !== undefined) {
      if (running.fingerprint !== fingerprint) return CONFLICT
      const waiting = running.waiting ??= []
      return { kind: 'in_flight', outcome: new Promise(resolve => waiting.push(resolve)) }
    }
    const remembered = ofTenant.sent.get(key)
    if (remembered !== undefined) {
      if (remembered.expiresAt > this.now()) return remembered.fingerprint === fingerprint ? DUPLICATE : CONFLICT
      // Now, and not left to be written over: the map's order stays that of expiry.
      ofTenant.sent.delete(key)
      this.size--
    }
    const reserved: InFlight = { tenantId, key, fingerprint, ofTenant, waiting: undefined }
    ofTenant.inFlight.set(key, reserved)
    return { kind: 'first', reserved }
  }

  /** The message was sent: repeats of it are duplicates from now on. */
  commit (reserved: Reserved): void {
    const { key, fingerprint, ofTenant: { sent } } = reserved as InFlight
    sent.set(key, { fingerprint, expiresAt: this.now() + DEDUP_WINDOW_MS })
    this.size++
    this.makeRoom(sent)
    this.settle(reserved, SENT)
  }

  /** The message failed: it leaves no trace. */
  release (reserved: Reserved, reason: string): void {
    this.settle(reserved, { sent: false, reason })
  }

  /** Ends a reservation: whoever waits for its outcome learns it. Nothing is remembered. */
  settle (reserved: Reserved, outcome: FirstOutcome): void {
    const { key, ofTenant, waiting } = reserved as InFlight
    ofTenant.inFlight.delete(key)
    if (waiting !== undefined) for (const resolve of waiting) resolve(outcome)
  }

  /** Drops what has expired. */
  sweep (): void {
    const now = this.now()
    for (const [tenantId, { sent, inFlight }] of this.tenants) {
      for (const [key, { expiresAt }] of sent) {
        if (expiresAt > now) break
        sent.delete(key)
        this.size--
      }
      if (sent.size === 0 && inFlight.size === 0) this.tenants.delete(tenantId)
    }
  }

  forget (tenantId: string): void {
    const ofTenant = this.tenants.get(tenantId)
    if (ofTenant === undefined) return
    this.size -= ofTenant.sent.size
    ofTenant.sent.clear()
    if (ofTenant.inFlight.size === 0) this.tenants.delete(tenantId)
  }

  private now (): number {
    return this.clock() - this.startedAt
  }

  private makeRoom (sent: Map<string, Remembered>): void {
    if (sent.size > this.limits.maxEntriesPerTenant) this.forgetOldest(sent)
    if (this.size > this.limits.maxEntries) {
      let largest = sent
      for (const other of this.tenants.values()) if (other.sent.size > largest.size) largest = other.sent
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
