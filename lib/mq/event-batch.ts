import type { ClusterTicket } from './cluster-health.js'
import type { PublishError } from './event-transport.js'
import type { KeyLine } from './key-line.js'
import type { PendingEvent } from './pending-event.js'
import type { Ticket } from './retry-gate.js'
import type { TenantOutbox } from './tenant-outbox.js'
import type { TopicHealth } from './topic-health.js'

/** Events of one line on their way to one of their tenant's two topics. */
export class EventBatch {
  /** Of each event, where it failed. */
  readonly errors: Array<PublishError | undefined> = []
  readonly ticket: Ticket
  private unsettled: number

  constructor (
    readonly outbox: TenantOutbox,
    readonly line: KeyLine,
    readonly destination: TopicHealth,
    readonly events: readonly PendingEvent[],
    readonly clusterTicket: ClusterTicket
  ) {
    this.ticket = destination.enter()
    this.unsettled = events.length
  }

  /** Whether these are dead letters. */
  get isDead (): boolean {
    return this.destination === this.outbox.deadLetterTopic
  }

  /** One of its events has its outcome. True: it was the last. */
  settle (index: number, error?: PublishError): boolean {
    this.errors[index] = error
    return --this.unsettled === 0
  }
}
