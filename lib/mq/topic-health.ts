import type { PublishError } from './event-transport.js'
import { RetryGate, type RetryDelays, type Ticket } from './retry-gate.js'

/**
 * What is known of a topic: it works; or it fails, and is tried with one event at a time; or it is broken, because it
 * failed too often in a row.
 */
export class TopicHealth {
  /** Of the last failure that was the topic's own fault, until it works. */
  error?: PublishError = undefined
  private strikes = 0
  private isOutOfReach = false
  private readonly gate: RetryGate

  /** @param maxStrikes failures in a row after which it counts as broken */
  constructor (readonly topic: string, delays: RetryDelays, private readonly maxStrikes: number) {
    this.gate = new RetryGate(delays)
  }

  get works (): boolean {
    return this.gate.isOpen
  }

  get isBroken (): boolean {
    return this.strikes >= this.maxStrikes
  }

  /** See RetryGate. */
  get opensAt (): number {
    return this.gate.opensAt
  }

  /** How many events may be handed over now. */
  room (now: number): number {
    return this.gate.room(now)
  }

  enter (): Ticket {
    return this.gate.enter()
  }

  /** True: it failed, and works now. */
  worked (ticket: Ticket): boolean {
    if (!this.gate.worked(ticket)) return false
    this.strikes = 0
    this.error = undefined
    this.isOutOfReach = false
    return true
  }

  /** True: this is news. Only where the topic is at fault it counts towards broken. */
  failed (ticket: Ticket, error: PublishError, now: number): boolean {
    if (!this.gate.failed(ticket, now)) return false
    this.isOutOfReach = error.fault === 'cluster'
    if (this.isOutOfReach) return true
    this.strikes++
    this.error = error
    return true
  }

  unclear (ticket: Ticket): void {
    this.gate.unclear(ticket)
  }

  retryNow (): void {
    this.gate.retryNow()
  }

  /** Kafka answers again: what failed for lack of an answer need not wait. */
  clusterIsBack (): void {
    if (!this.isOutOfReach) return
    this.isOutOfReach = false
    this.gate.retryNow()
  }
}
