import { EventLoopLag } from './event-loop-lag.js'
import { exposition, type Emit, type Labels, type Metric } from './exposition.js'
import { Histogram } from './histogram.js'
import { Counts, TenantMetrics } from './tenant-metrics.js'

/** The label value that tenants beyond the bound share. */
const OTHER = 'other'

/** Seconds. Without a hook an ack takes less than a millisecond; with one, as long as that may take, twice at most. */
const MESSAGE_ACK_BUCKETS = [0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1]

/** Seconds. A call may take 0.15; what is beyond waited for the event loop. */
const HOOK_CALL_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.25]

/** Messages; the largest batch has 256. */
const BATCH_BUCKETS = [1, 2, 4, 8, 16, 32, 64, 128, 256]

/**
 * Everything this gateway counts, under the prefix `mics_`. Tenants are a label with a bound: the first `maxTenants`
 * have a value of their own, all others share `other`.
 */
export class GatewayMetrics {
  readonly tenantsFileReloads = new Counts<'applied' | 'refused'>('applied', 'refused')
  private readonly registered = new Map<string, Metric>()
  private readonly tenants = new Map<string, TenantMetrics>()
  /** From when a message is taken up to its ack. */
  readonly messageAckSeconds = new Histogram(MESSAGE_ACK_BUCKETS)
  /** Messages in each call of check-messages. */
  readonly hookBatchMessages = new Histogram(BATCH_BUCKETS)
  private readonly hookCallSeconds = new Map<string, Histogram>()
  private readonly breakers = new Map<string, { tenantId: string, operation: string, state: number }>()
  private readonly eventLoopLag = new EventLoopLag()
  private rendering?: Promise<string>

  /** @param common labels that every sample has */
  constructor (private readonly maxTenants: number, private readonly common: Labels = {}) {
    this.perTenant('gauge', 'connections', 'Connected clients', [], (m, emit) => emit({}, m.connections))
    this.perTenant('gauge', 'tenant_connections_limit', 'Connections that the tenant may have on all nodes together', [],
      (m, emit) => { if (m.connectionsLimit > 0) emit({}, m.connectionsLimit) })
    this.perTenant('gauge', 'tenant_messages_per_second_limit', 'Messages a second that the tenant may send on all nodes together',
      [], (m, emit) => { if (m.messagesPerSecondLimit > 0) emit({}, m.messagesPerSecondLimit) })
    this.perTenant('counter', 'connections_opened_total', 'Clients admitted', [],
      (m, emit) => emit({}, m.connectionsOpened))
    this.perTenant('counter', 'connection_closes_total', 'Connections closed or refused, by WebSocket close code',
      ['code'], (m, emit) => each(m.closes, code => ({ code }), emit))
    this.perTenant('counter', 'messages_received_total', 'Messages from clients', ['type'],
      (m, emit) => each(m.messages, type => ({ type }), emit))
    this.perTenant('counter', 'frame_errors_total', 'Frames from clients answered with a ServerError', ['code'],
      (m, emit) => each(m.frameErrors, code => ({ code }), emit))
    this.perTenant('counter', 'deliveries_total', 'Messages handed on, once a device or offline user', ['path'],
      (m, emit) => each(m.deliveries, path => ({ path }), emit))
    this.perTenant('counter', 'acks_total', 'Acks by outcome', ['outcome'],
      (m, emit) => each(m.acks, outcome => ({ outcome }), emit))
    this.perTenant('counter', 'ack_failures_total', 'FAILED acks by reason', ['reason'],
      (m, emit) => each(m.ackFailures, reason => ({ reason }), emit))
    this.perTenant('counter', 'hook_calls_total', 'Hook calls by result (ok, denied, or why they failed)',
      ['operation', 'result'], (m, emit) => {
        for (const [operation, results] of m.hookCalls) each(results, result => ({ operation, result }), emit)
      })
    this.perTenant('counter', 'hook_call_seconds_total', 'Time spent in hook calls, waiting for a slot included', ['operation'],
      (m, emit) => { for (const [operation, seconds] of m.hookSeconds) emit({ operation }, seconds) })
    this.perTenant('counter', 'check_message_degraded_total', 'Messages allowed because their check failed', [],
      (m, emit) => emit({}, m.checkDegraded))
    this.perTenant('counter', 'rate_limited_total', 'Messages or connections refused by a limit', ['kind'],
      (m, emit) => each(m.rateLimited, kind => ({ kind }), emit))
    this.perTenant('counter', 'dedup_hits_total', 'Messages whose msg_id was seen before', ['kind'],
      (m, emit) => each(m.dedupHits, kind => ({ kind }), emit))
    this.perTenant('gauge', 'offline_messages', 'Messages waiting in the offline buffer', [],
      (m, emit) => emit({}, m.offlineMessages))
    this.perTenant('gauge', 'offline_bytes', 'Bytes waiting in the offline buffer', [],
      (m, emit) => emit({}, m.offlineBytes))
    this.perTenant('counter', 'offline_buffered_total', 'Messages put into the offline buffer', [],
      (m, emit) => emit({}, m.offlineBuffered))
    this.perTenant('counter', 'offline_delivered_total', 'Messages delivered from the offline buffer', [],
      (m, emit) => emit({}, m.offlineDelivered))
    this.perTenant('counter', 'offline_evicted_total', 'Messages that left the offline buffer undelivered', ['reason'],
      (m, emit) => each(m.offlineEvicted, reason => ({ reason }), emit))
    this.perTenant('counter', 'offline_skipped_total', 'Offline recipients for whom nothing was kept', [],
      (m, emit) => emit({}, m.offlineSkipped))
    this.perTenant('counter', 'offline_lost_total', 'Offline messages that ended with a node that died', [],
      (m, emit) => emit({}, m.offlineLost))
    this.perTenant('counter', 'offline_pull_problems_total', 'Pulls of offline messages that did not go as they should', ['kind'],
      (m, emit) => each(m.pullProblems, kind => ({ kind }), emit))
    this.perTenant('counter', 'outbound_overflows_total', 'Connections closed as slow consumers', [],
      (m, emit) => emit({}, m.outboundOverflows))
    this.perTenant('counter', 'events_published_total', "Events in their tenant's topic", [],
      (m, emit) => emit({}, m.eventsPublished))
    this.perTenant('counter', 'events_dead_lettered_total', "Events in their tenant's dead letter topic", [],
      (m, emit) => emit({}, m.eventsDeadLettered))
    this.perTenant('counter', 'events_retried_total', 'Failed attempts after which an event goes to the same topic again',
      [], (m, emit) => emit({}, m.eventsRetried))
    this.perTenant('counter', 'events_dropped_total', 'Events that nobody will learn of', ['reason'],
      (m, emit) => each(m.eventsDropped, reason => ({ reason }), emit))
    this.perTenant('gauge', 'events_pending', 'Events waiting to be published, those on their way included', [],
      (m, emit) => emit({}, m.eventsPending))
    this.perTenant('gauge', 'events_pending_bytes', 'Their bytes, as the limits count them', [],
      (m, emit) => emit({}, m.eventsPendingBytes))

    this.nodeHistogram('message_ack_duration_seconds', 'Time from when a message is taken up to its ack', this.messageAckSeconds)
    this.register('histogram', 'hook_call_duration_seconds',
      'Time from asking for a hook call to its outcome, waiting for a slot included', ['operation'], emit => {
        for (const [operation, histogram] of this.hookCallSeconds) histogram.emit({ operation }, emit)
      })
    this.nodeHistogram('hook_batch_messages', 'Messages in one call of /check-messages', this.hookBatchMessages)
    this.nodeGauge('hook_breaker_state', 'Breaker of a hook: 0 closed, 1 open, 2 half-open', ['tenant', 'operation'],
      emit => this.readBreakers(emit))
    this.nodeCounters('tenants_file_reloads_total', 'Changes of the tenants file, applied or refused', ['result'],
      emit => each(this.tenantsFileReloads, result => ({ result }), emit))
    this.nodeHistogram('event_loop_lag_seconds', 'How late timers are, looked at every 20 ms of the time',
      this.eventLoopLag.histogram)
  }

  /** The counts of a tenant; those of `other` once there are too many. */
  tenant (tenantId: string): TenantMetrics {
    return this.tenants.get(tenantId) ?? this.add(tenantId)
  }

  /** The tenant's label value. */
  label (tenantId: string): string {
    this.tenant(tenantId)
    return this.tenants.has(tenantId) ? tenantId : OTHER
  }

  /**
   * Counts a hook call that has its outcome.
   * @param seconds from asking for it, the wait for a slot included
   */
  hookCall (tenantId: string, operation: string, result: string, seconds: number): void {
    let histogram = this.hookCallSeconds.get(operation)
    if (histogram === undefined) this.hookCallSeconds.set(operation, histogram = new Histogram(HOOK_CALL_BUCKETS))
    histogram.observe(seconds)
    this.tenant(tenantId).hookCall(operation, result, seconds)
  }

  /** What the tenant's limits are by now, 0: none. Tenants that share `other` have none in common, and tell none. */
  limits (tenantId: string, connections: number, messagesPerSecond: number): void {
    if (this.label(tenantId) !== tenantId) return
    const metrics = this.tenant(tenantId)
    metrics.connectionsLimit = connections
    metrics.messagesPerSecondLimit = messagesPerSecond
  }

  breaker (tenantId: string, operation: string, state: number): void {
    this.breakers.set(JSON.stringify([tenantId, operation]), { tenantId, operation, state })
  }

  /** For a hook that is no more. */
  forgetBreaker (tenantId: string, operation: string): void {
    this.breakers.delete(JSON.stringify([tenantId, operation]))
  }

  get metrics (): Metric[] {
    return [...this.registered.values()]
  }

  /** All of it in Prometheus' text format. Who asks meanwhile gets the same. */
  text (): Promise<string> {
    this.rendering ??= exposition(this.metrics, this.common).finally(() => { this.rendering = undefined })
    return this.rendering
  }

  /** A gauge of the node that is read when Prometheus asks. */
  nodeGauge (name: string, help: string, labelNames: string[], read: (emit: Emit) => void): void {
    this.register('gauge', name, help, labelNames, read)
  }

  /** A counter of the node that is kept elsewhere and read when Prometheus asks. */
  nodeCounter (name: string, help: string, read: () => number): void {
    this.nodeCounters(name, help, [], emit => emit({}, read()))
  }

  /** The same with labels. */
  nodeCounters (name: string, help: string, labelNames: string[], read: (emit: Emit) => void): void {
    this.register('counter', name, help, labelNames, read)
  }

  nodeHistogram (name: string, help: string, histogram: Histogram): void {
    this.register('histogram', name, help, [], emit => histogram.emit({}, emit))
  }

  close (): void {
    this.eventLoopLag.close()
  }

  private add (tenantId: string): TenantMetrics {
    const key = this.tenants.size - (this.tenants.has(OTHER) ? 1 : 0) < this.maxTenants ? tenantId : OTHER
    let metrics = this.tenants.get(key)
    if (metrics === undefined) this.tenants.set(key, metrics = new TenantMetrics())
    return metrics
  }

  /** Of tenants that share a label the worst is told: open before half-open before closed. */
  private readBreakers (emit: Emit): void {
    const worst = new Map<string, { tenant: string, operation: string, state: number }>()
    for (const { tenantId, operation, state } of this.breakers.values()) {
      const tenant = this.label(tenantId)
      const key = JSON.stringify([tenant, operation])
      const told = worst.get(key)?.state
      if (told === undefined || told === 0 || state === 1) worst.set(key, { tenant, operation, state })
    }
    for (const { tenant, operation, state } of worst.values()) emit({ tenant, operation }, state)
  }

  private perTenant (
    type: 'gauge' | 'counter', name: string, help: string, labelNames: string[],
    read: (metrics: TenantMetrics, emit: Emit) => void
  ): void {
    this.register(type, name, help, ['tenant', ...labelNames], emit => {
      for (const [tenant, metrics] of this.tenants) read(metrics, (labels, value) => emit({ tenant, ...labels }, value))
    })
  }

  private register (
    type: Metric['type'], shortName: string, help: string, labelNames: string[], read: (emit: Emit) => void
  ): void {
    const name = `mics_${shortName}`
    if (this.registered.has(name)) throw new Error(`there is a metric ${name} already: give each a name of its own`)
    this.registered.set(name, { name, help, type, labelNames, read })
  }
}

function each<K extends string | number> (
  counts: Counts<K>, labels: (key: K) => Record<string, K>, emit: Emit
): void {
  for (const [key, count] of counts.entries()) emit(labels(key), count)
}
