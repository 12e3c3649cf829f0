import type { TenantMetrics } from '../metrics/tenant-metrics.js'
import type { ClusterHealth } from './cluster-health.js'
import { EventBatch } from './event-batch.js'
import { KeyLine } from './key-line.js'
import { LinkedQueue } from './linked-queue.js'
import type { PendingEvent } from './pending-event.js'
import type { TopicHealth } from './topic-health.js'

/** Events on their way at once. */
const WINDOW = 1000

/** Events of one key handed over at once. */
const MAX_BATCH_EVENTS = 100

export type EventMetrics = Pick<TenantMetrics, 'eventsPublished' | 'eventsDeadLettered' | 'eventsRetried' |
  'eventsDropped' | 'eventsPending' | 'eventsPendingBytes'>

/**
 * A tenant's events that are neither published nor dropped yet: a line a key, and what is known of the tenant's two
 * topics. Lines take turns, and each has one batch on its way at most. An event goes to the event topic, unless it was
 * sentenced to be a dead letter or that topic is broken.
 */
export class TenantOutbox {
  /** The next one in the pump's round. */
  next?: TenantOutbox = undefined
  isInRound = false

  events = 0
  bytes = 0
  private onTheWay = 0
  private readonly lines = new Map<string, KeyLine>()
  /** Lines without a batch on its way: those whose first event may go to the event topic, and the others. */
  private readonly hopeful = new LinkedQueue<KeyLine>()
  private readonly sentenced = new LinkedQueue<KeyLine>()

  constructor (
    readonly tenantId: string,
    readonly eventTopic: TopicHealth,
    readonly deadLetterTopic: TopicHealth,
    readonly metrics: EventMetrics
  ) {}

  /** Whether both topics are known to work, as far as is known. */
  get works (): boolean {
    return this.eventTopic.works && this.deadLetterTopic.works
  }

  /** When the next batch may go without another one's outcome. Infinity: not before an outcome. */
  get opensAt (): number {
    if (this.onTheWay >= WINDOW) return Infinity
    const { hopeful, sentenced, eventTopic, deadLetterTopic } = this
    const hasDeadLetters = sentenced.first !== undefined || (hopeful.first !== undefined && eventTopic.isBroken)
    return Math.min(
      hopeful.first === undefined ? Infinity : eventTopic.opensAt, hasDeadLetters ? deadLetterTopic.opensAt : Infinity)
  }

  /** When the oldest event was taken, in milliseconds that only go forward. */
  get oldestTakenAt (): number | undefined {
    let oldest: number | undefined
    for (const line of this.lines.values()) {
      const takenAt = line.oldest?.takenAt
      if (takenAt !== undefined && (oldest === undefined || takenAt < oldest)) oldest = takenAt
    }
    return oldest
  }

  add (event: PendingEvent): void {
    const { key } = event.event
    let line = this.lines.get(key)
    if (line === undefined) {
      this.lines.set(key, line = new KeyLine(key))
      this.hopeful.push(line)
    }
    line.push(event)
    this.events++
    this.bytes += event.bytes
    this.metrics.eventsPending++
    this.metrics.eventsPendingBytes += event.bytes
  }

  /** An event that has left its line is published, or dropped. */
  remove (event: PendingEvent): void {
    this.events--
    this.bytes -= event.bytes
    this.metrics.eventsPending--
    this.metrics.eventsPendingBytes -= event.bytes
  }

  /** The next batch, if one can go now. It must come back with `endBatch`. */
  nextBatch (now: number, cluster: ClusterHealth): EventBatch | undefined {
    const { eventTopic, deadLetterTopic, hopeful, sentenced } = this
    const room = Math.min(WINDOW - this.onTheWay, MAX_BATCH_EVENTS, cluster.room(now))
    const deadRoom = Math.min(room, deadLetterTopic.room(now))
    if (deadRoom > 0 && sentenced.first !== undefined) return this.batch(sentenced, deadLetterTopic, deadRoom, cluster)
    if (hopeful.first === undefined) return undefined
    const eventRoom = Math.min(room, eventTopic.room(now))
    if (eventRoom > 0) return this.batch(hopeful, eventTopic, eventRoom, cluster)
    return deadRoom > 0 && eventTopic.isBroken ? this.batch(hopeful, deadLetterTopic, deadRoom, cluster) : undefined
  }

  /** A batch has its outcome. `remaining` are those of its events that must go again. */
  endBatch ({ line, events }: EventBatch, remaining: readonly PendingEvent[]): void {
    this.onTheWay -= events.length
    line.endBatch(remaining)
    if (line.first === undefined) this.lines.delete(line.key)
    else (line.first.sentence === undefined ? this.hopeful : this.sentenced).push(line)
  }

  /** Takes out all events that are not on their way. */
  * takeWaiting (): Generator<PendingEvent> {
    for (const lines of [this.hopeful, this.sentenced]) {
      for (let line = lines.shift(); line !== undefined; line = lines.shift()) {
        this.lines.delete(line.key)
        for (let event = line.shift(); event !== undefined; event = line.shift()) yield event
      }
    }
  }

  /** All events that are not settled, those on their way too. */
  * unsettled (): Generator<PendingEvent> {
    for (const line of this.lines.values()) yield * line.unsettled()
  }

  /** Ends the delays of both topics. */
  retryNow (): void {
    this.eventTopic.retryNow()
    this.deadLetterTopic.retryNow()
  }

  clusterIsBack (): void {
    this.eventTopic.clusterIsBack()
    this.deadLetterTopic.clusterIsBack()
  }

  /** Gives up all events, those on their way too. Nothing may be called after it. */
  abandon (): void {
    this.metrics.eventsPending -= this.events
    this.metrics.eventsPendingBytes -= this.bytes
    this.events = this.bytes = 0
  }

  private batch (
    lines: LinkedQueue<KeyLine>, destination: TopicHealth, maxEvents: number, cluster: ClusterHealth
  ): EventBatch {
    const line = lines.shift() as KeyLine
    const isDead = destination === this.deadLetterTopic
    const takesAll = isDead && this.eventTopic.isBroken
    const events = line.takeBatch(maxEvents, event => takesAll || (event.sentence !== undefined) === isDead)
    this.onTheWay += events.length
    return new EventBatch(this, line, destination, events, cluster.enter())
  }
}
