import { outcomeOf, type BatchOutcome } from './batch-outcome.js'
import type { ClusterHealth } from './cluster-health.js'
import { deadLetterRecord, eventRecord } from './dead-letter.js'
import type { EventBatch } from './event-batch.js'
import type { EventLog } from './event-log.js'
import type { EventRecord, EventTransport, PublishError } from './event-transport.js'
import type { PendingEvent } from './pending-event.js'

/** Bytes that cost as much to sign and hand over as one small event. */
const COST_BYTES = 4096

export interface EventCourierOptions {
  transport: EventTransport
  cluster: ClusterHealth
  log: EventLog
  maxAttempts: number
  /** Called once for each batch that was handed over, when the outcome of all of its events is known. */
  onSettled: (batch: EventBatch, outcome: BatchOutcome) => void
  /** Kafka as a whole answers again. */
  onClusterBack: () => void
  /** Milliseconds that only go forward. */
  now: () => number
  /** Unix milliseconds. */
  date: () => number
}

/** Takes batches to the transport and learns from what becomes of them. */
export class EventCourier {
  private isClosed = false

  constructor (private readonly options: EventCourierOptions) {}

  /** Outcomes that come after it are nobody's concern. */
  close (): void {
    this.isClosed = true
  }

  /** Gives what it cost, in small events. */
  handOver (batch: EventBatch): number {
    let cost = 0
    for (let i = 0; i < batch.events.length; i++) {
      const record = this.recordOf(batch, batch.events[i])
      cost += 1 + Math.floor(record.value.length / COST_BYTES)
      this.options.transport.send(record, error => {
        if (batch.settle(i, error)) this.settled(batch)
      })
    }
    return cost
  }

  private recordOf (batch: EventBatch, event: PendingEvent): EventRecord {
    const { destination: { topic }, outbox: { eventTopic } } = batch
    if (!batch.isDead) return eventRecord(event, topic)
    // One without a sentence of its own is a dead letter because its topic is broken.
    event.sentence ??= eventTopic.error as PublishError
    return deadLetterRecord(event, topic, event.sentence, eventTopic.topic, this.options.date())
  }

  private settled (batch: EventBatch): void {
    if (this.isClosed) return
    const outcome = outcomeOf(batch, this.options.maxAttempts)
    this.count(batch, outcome)
    this.learn(batch, outcome)
    this.options.onSettled(batch, outcome)
  }

  private count ({ isDead, outbox, destination: { topic } }: EventBatch, outcome: BatchOutcome): void {
    const { metrics, tenantId } = outbox
    const { stored, refused, retried, eventError } = outcome
    metrics.eventsRetried += retried
    if (!isDead) {
      metrics.eventsPublished += stored.length
      return
    }
    metrics.eventsDeadLettered += stored.length
    for (const { event, sentence } of stored) {
      this.options.log.deadLettered(tenantId, topic, event.msgId, sentence as PublishError)
    }
    if (eventError === undefined) return
    for (const { event } of refused) {
      metrics.eventsDropped.add('refused')
      this.options.log.refused(tenantId, topic, event.msgId, eventError)
    }
  }

  private learn (batch: EventBatch, { stored, topicError, clusterError }: BatchOutcome): void {
    const { destination, ticket, clusterTicket } = batch
    const { cluster, log, now, onClusterBack } = this.options
    const time = now()
    const isAnswered = stored.length > 0 || topicError !== undefined
    // That Kafka is gone or back is for the transport to log: it notices without an event, too.
    if (isAnswered && cluster.answered(clusterTicket)) onClusterBack()
    if (clusterError !== undefined && cluster.missed(clusterTicket, time)) {
      destination.unclear(ticket)
    } else if ((topicError ?? clusterError) !== undefined) {
      this.learnFailure(batch, (topicError ?? clusterError) as PublishError, time)
    } else if (isAnswered) {
      if (destination.worked(ticket)) log.topicWorks(batch.outbox.tenantId, destination.topic)
    } else {
      // What was wrong was wrong with the events: that says nothing of the topic.
      destination.unclear(ticket)
      cluster.unclear(clusterTicket)
    }
  }

  private learnFailure ({ outbox, destination, ticket, isDead }: EventBatch, error: PublishError, now: number): void {
    if (!destination.failed(ticket, error, now)) return
    const goesOn = isDead
      ? 'dead letters wait'
      : destination.isBroken ? 'events go to the dead letter topic' : 'events wait'
    this.options.log.topicFailed(outbox.tenantId, destination.topic, error, goesOn)
  }
}
