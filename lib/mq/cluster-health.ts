import { RetryGate, type RetryDelays, type Ticket } from './retry-gate.js'

/** Given at the door, for the outcome. */
export interface ClusterTicket {
  readonly ticket: Ticket
  readonly answersBefore: number
}

/**
 * Whether Kafka as a whole answers. It is gone when a batch got no answer and nothing else did since that batch was
 * handed over; where others get answers, it is that topic's brokers only. While it is gone one event of the whole node
 * is on its way, however many tenants there are.
 */
export class ClusterHealth {
  private answers = 0
  private readonly gate: RetryGate

  constructor (delays: RetryDelays) {
    this.gate = new RetryGate(delays)
  }

  get isGone (): boolean {
    return !this.gate.isOpen
  }

  get opensAt (): number {
    return this.gate.opensAt
  }

  room (now: number): number {
    return this.gate.room(now)
  }

  enter (): ClusterTicket {
    return { ticket: this.gate.enter(), answersBefore: this.answers }
  }

  /** True: it was gone. */
  answered ({ ticket }: ClusterTicket): boolean {
    this.answers++
    return this.gate.worked(ticket)
  }

  /** True: it is gone. False: others got answers. */
  missed ({ ticket, answersBefore }: ClusterTicket, now: number): boolean {
    if (this.isGone || this.answers === answersBefore) this.gate.failed(ticket, now)
    return this.isGone
  }

  unclear ({ ticket }: ClusterTicket): void {
    this.gate.unclear(ticket)
  }

  retryNow (): void {
    this.gate.retryNow()
  }
}
