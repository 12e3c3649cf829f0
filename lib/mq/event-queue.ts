import { withinMs } from '../timing/within-ms.js'
import type { Span } from '../tracing/span.js'
import type { BatchOutcome } from './batch-outcome.js'
import { ClusterHealth } from './cluster-health.js'
import { encodeEvent } from './encode-event.js'
import type { EventBatch } from './event-batch.js'
import { EventCourier } from './event-courier.js'
import { EventLog, type EventLogLines, type NotTaken } from './event-log.js'
import { EventPump } from './event-pump.js'
import { EventQuota, type EventLimits } from './event-quota.js'
import type { EventTransport } from './event-transport.js'
import type { MqEvent } from './mq-event.js'
import type { MqPublisher } from './mq-publisher.js'
import { PendingEvent } from './pending-event.js'
import type { RetryDelays } from './retry-gate.js'
import { Sleepers, startTimer, type StartTimer } from './sleepers.js'
import { TenantOutbox, type EventMetrics } from './tenant-outbox.js'
import { TopicHealth } from './topic-health.js'
import type { TopicNames } from './topic-names.js'

const MAX_BACKOFF_MS = 30_000
const MAX_BACKOFF_CLOSING_MS = 100

/** How long it is remembered that a tenant's topics fail, after the time of the next try, when nothing is pending. */
const REMEMBER_MS = 60_000

export interface EventQueueOptions {
  transport: EventTransport
  topics: Pick<TopicNames, 'event' | 'deadLetter'>
  nodeId: string
  metricsOf: (tenantId: string) => EventMetrics
  limits: EventLimits
  /** How often an event's topic may fail before the event goes to the dead letter topic. */
  maxAttempts: number
  /** Milliseconds at most before the second attempt; grows to 30 s. */
  backoffMs: number
  log: EventLogLines
  /** Events of a tenant that is no more are dropped, not kept, when neither of its topics takes them. */
  hasTenant?: (tenantId: string) => boolean
  /** Milliseconds that only go forward. */
  now?: () => number
  /** Unix milliseconds. */
  date?: () => number
  /** From 0 to 1. */
  random?: () => number
  startTimer?: StartTimer
}

/**
 * Takes events and publishes them later, in order per tenant and key, each to its tenant's topic; to the dead letter
 * topic where that does not take it. What neither takes waits here, within the limits, until one does. So every event
 * that is taken is published or a dead letter in the end, or counted as dropped: because both topics refuse it for
 * ever, because its tenant is gone, or because the process ends.
 *
 * The way of an event: EventQuota says whether it is taken, its TenantOutbox keeps it in a KeyLine, the EventPump takes
 * batches out of the outboxes in turn, the EventCourier hands them to the transport and learns from what becomes of
 * them (TopicHealth, ClusterHealth).
 */
export class EventQueue implements MqPublisher {
  private readonly outboxes = new Map<string, TenantOutbox>()
  private readonly quota: EventQuota
  private readonly delays: RetryDelays
  private readonly cluster: ClusterHealth
  private readonly sleepers: Sleepers
  private readonly courier: EventCourier
  private readonly pump: EventPump
  private readonly log: EventLog
  private readonly now: () => number
  private closing?: Promise<void>
  private isClosing = false
  private onEmpty?: () => void

  constructor (private readonly options: EventQueueOptions) {
    this.now = options.now ?? (() => performance.now())
    this.quota = new EventQuota(options.limits)
    this.delays = { baseMs: options.backoffMs, maxMs: MAX_BACKOFF_MS, random: options.random ?? Math.random }
    this.cluster = new ClusterHealth(this.delays)
    this.sleepers = new Sleepers(this.now, options.startTimer ?? startTimer)
    this.log = new EventLog(options.log, this.now)
    this.courier = new EventCourier({
      transport: options.transport,
      cluster: this.cluster,
      log: this.log,
      maxAttempts: options.maxAttempts,
      onSettled: (batch, outcome) => this.settled(batch, outcome),
      onClusterBack: () => this.clusterIsBack(),
      now: this.now,
      date: options.date ?? Date.now,
    })
    this.pump = new EventPump({
      cluster: this.cluster, sleepers: this.sleepers, handOver: batch => this.courier.handOver(batch), now: this.now,
    })
  }

  /** Tenants of which something is pending or remembered. */
  get tenants (): number {
    return this.outboxes.size
  }

  publish (event: MqEvent): boolean {
    const { tenantId } = event
    const known = this.outboxes.get(tenantId)
    const refusal = this.isClosing ? 'shutdown' : this.quota.refusal(known, event.data.length)
    if (refusal !== undefined) return this.refuse(event, refusal)
    const outbox = known ?? this.open(tenantId)
    const pending = new PendingEvent(encodeEvent(event, this.options.nodeId), this.now())
    if (!outbox.works || this.cluster.isGone) pending.keep()
    this.quota.take(pending.bytes)
    outbox.add(pending)
    this.pump.add(outbox)
    return true
  }

  close (timeoutMs: number): Promise<void> {
    this.closing ??= this.finish(timeoutMs)
    return this.closing
  }

  /** Kafka is known to answer again: what waits for it need not sit out its delay. */
  retryNow (): void {
    this.cluster.retryNow()
    this.pump.wake()
  }

  /** Milliseconds since the oldest pending event was taken, of each tenant that has one. */
  * oldestAges (): Generator<[tenantId: string, ageMs: number]> {
    const now = this.now()
    for (const [tenantId, { oldestTakenAt }] of this.outboxes) {
      if (oldestTakenAt !== undefined) yield [tenantId, now - oldestTakenAt]
    }
  }

  private open (tenantId: string): TenantOutbox {
    const { topics, metricsOf, maxAttempts } = this.options
    const outbox = new TenantOutbox(
      tenantId,
      new TopicHealth(topics.event(tenantId), this.delays, maxAttempts),
      new TopicHealth(topics.deadLetter(tenantId), this.delays, maxAttempts),
      metricsOf(tenantId))
    this.outboxes.set(tenantId, outbox)
    return outbox
  }

  private refuse ({ tenantId, span }: MqEvent, reason: NotTaken): false {
    endSpan(span, reason)
    this.options.metricsOf(tenantId).eventsDropped.add(reason)
    this.log.notTaken(tenantId, reason)
    return false
  }

  private settled (batch: EventBatch, { stored, refused, remaining, topicError }: BatchOutcome): void {
    const { outbox } = batch
    for (const event of stored) this.release(outbox, event, batch.isDead ? 'dead_lettered' : undefined)
    for (const event of refused) this.release(outbox, event, 'refused')
    outbox.endBatch(batch, remaining)
    if (batch.isDead && topicError !== undefined) this.dropIfTenantIsGone(outbox)
    if (outbox.events === 0) this.rest(outbox)
    else this.pump.add(outbox)
    // Where this was the one event on its way because Kafka was gone, others may go now.
    this.pump.wake()
  }

  /** @param problem what became of it, where it is not in its topic */
  private release (outbox: TenantOutbox, event: PendingEvent, problem: string | undefined): void {
    endSpan(event.event.span, problem)
    outbox.remove(event)
    this.quota.release(event.bytes)
    if (this.quota.events === 0) this.onEmpty?.()
  }

  private dropIfTenantIsGone (outbox: TenantOutbox): void {
    const { tenantId, metrics } = outbox
    if (this.options.hasTenant?.(tenantId) ?? true) return
    let dropped = 0
    for (const event of outbox.takeWaiting()) {
      this.release(outbox, event, 'tenant_removed')
      dropped++
    }
    metrics.eventsDropped.add('tenant_removed', dropped)
    this.log.tenantRemoved(tenantId, dropped)
  }

  /** An outbox that is empty is forgotten, after a while where its topics fail. */
  private rest (outbox: TenantOutbox): void {
    if (outbox.works) {
      this.outboxes.delete(outbox.tenantId)
      this.sleepers.forget(outbox)
      return
    }
    const { eventTopic, deadLetterTopic } = outbox
    const retryAt = [eventTopic.opensAt, deadLetterTopic.opensAt].filter(Number.isFinite)
    this.sleepers.sleep(outbox, Math.max(this.now(), ...retryAt) + REMEMBER_MS, () => {
      if (outbox.events === 0) this.outboxes.delete(outbox.tenantId)
      else this.pump.add(outbox)
    })
  }

  private clusterIsBack (): void {
    for (const outbox of this.outboxes.values()) {
      outbox.clusterIsBack()
      if (outbox.events > 0) this.pump.add(outbox)
    }
  }

  private async finish (timeoutMs: number): Promise<void> {
    this.isClosing = true
    this.delays.maxMs = MAX_BACKOFF_CLOSING_MS
    this.cluster.retryNow()
    for (const outbox of this.outboxes.values()) {
      outbox.retryNow()
      this.pump.add(outbox)
    }
    if (this.quota.events > 0) await withinMs(timeoutMs, new Promise<void>(resolve => { this.onEmpty = resolve }))
    this.pump.close()
    this.courier.close()
    this.sleepers.close()
    this.dropAll()
    await this.options.transport.close()
  }

  private dropAll (): void {
    for (const [tenantId, age] of this.oldestAges()) {
      const outbox = this.outboxes.get(tenantId) as TenantOutbox
      outbox.metrics.eventsDropped.add('shutdown', outbox.events)
      this.log.ended(tenantId, outbox.events, age)
      for (const { event: { span } } of outbox.unsettled()) endSpan(span, 'shutdown')
      outbox.abandon()
    }
    this.outboxes.clear()
  }
}

/** @param problem why the event is not in its topic, where it is not */
function endSpan (span: Span | undefined, problem: string | undefined): void {
  if (problem !== undefined) span?.fail(problem)
  span?.end()
}
