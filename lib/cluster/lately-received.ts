import type { OfflineEntry } from '../offline/offline-entry.js'
import type { Delivery } from '../routing/delivery.js'

/** Messages, and recipients of them, that are remembered at most in each of two generations. */
const MAX_MESSAGES = 20_000
const MAX_RECIPIENTS = 500_000

interface Received {
  /** Users who got it from a peer, by way of `deliver`. */
  delivered?: Array<{ userIds: readonly string[], missing: readonly string[] }>
  /** `user\0device` for whom it came by way of `hold`, and is here or was delivered. */
  held?: Set<string>
}

/**
 * Messages that peers have lately brought, by recipient. A peer whose answer was late counts as not reached, and the
 * message comes once more by another way, through an offline buffer: then it is recognized here.
 */
export class LatelyReceived {
  private current = new Map<string, Received>()
  private former = new Map<string, Received>()
  private recipients = 0
  private turnedAt: number
  /** Messages that came once more. */
  repeated = 0

  /** @param keepMs milliseconds that one is remembered, at least, as long as there is room; at most twice as long */
  constructor (private readonly keepMs: number, private readonly now: () => number = Date.now) {
    this.turnedAt = now()
  }

  /** A peer brought it for these users; those in `missing` had no device here. */
  delivered (delivery: Delivery, userIds: readonly string[], missing: readonly string[]): void {
    if (missing.length === userIds.length) return
    const received = this.received(delivery)
    if (received.delivered === undefined) received.delivered = [{ userIds, missing }]
    else received.delivered.push({ userIds, missing })
    this.recipients += userIds.length
  }

  /** A peer brought an entry. False: it had come before. */
  hold (entry: OfflineEntry): boolean {
    if (this.has(entry)) {
      this.repeated++
      return false
    }
    const received = this.received(entry.delivery)
    received.held ??= new Set()
    received.held.add(recipientOf(entry))
    this.recipients++
    return true
  }

  /** It moves on to another node, from where it may come back. */
  forget (entry: OfflineEntry): void {
    const key = keyOf(entry.delivery)
    this.current.get(key)?.held?.delete(recipientOf(entry))
    this.former.get(key)?.held?.delete(recipientOf(entry))
  }

  private has (entry: OfflineEntry): boolean {
    const key = keyOf(entry.delivery)
    return [this.current.get(key), this.former.get(key)].some(received => received !== undefined && (
      received.held?.has(recipientOf(entry)) === true ||
      // One for a device of its own is not what all devices got.
      (entry.deviceId === '' && received.delivered?.some(({ userIds, missing }) =>
        userIds.includes(entry.userId) && !missing.includes(entry.userId)) === true)
    ))
  }

  private received (delivery: Delivery): Received {
    this.turn()
    const key = keyOf(delivery)
    let received = this.current.get(key)
    if (received === undefined) this.current.set(key, received = {})
    return received
  }

  private turn (): void {
    const passed = this.now() - this.turnedAt
    const isFull = this.current.size >= MAX_MESSAGES || this.recipients >= MAX_RECIPIENTS
    if (passed < this.keepMs && !isFull) return
    this.former = passed < 2 * this.keepMs ? this.current : new Map()
    this.current = new Map()
    this.recipients = 0
    this.turnedAt = this.now()
  }
}

/** A message id is its sender's own, and a position may be used by two nodes at one time. */
function keyOf ({ seq, message: { tenantId, userId, deviceId, msgId } }: Delivery): string {
  return [seq, tenantId, userId, deviceId, msgId].join('\0')
}

function recipientOf ({ userId, deviceId }: OfflineEntry): string {
  return `${userId}\0${deviceId}`
}
