import { monitorEventLoopDelay, type IntervalHistogram } from 'node:perf_hooks'
import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import { TenantMetrics, type Counts } from './tenant-metrics.js'

/** The label value that tenants beyond the bound share. */
const OTHER = 'other'

const EVENT_LOOP_RESOLUTION_MS = 10

type Labels = Record<string, string | number>

/**
 * Everything this gateway counts, under the prefix `mics_`. Tenants are a label with a bound: the first `maxTenants`
 * have a value of their own, all others share `other`.
 */
export class GatewayMetrics {
  readonly hookCallSeconds: Histogram
  readonly tenantsReload: Counter
  private readonly breakerState: Gauge
  private readonly tenants = new Map<string, TenantMetrics>()
  private readonly eventLoopDelay: IntervalHistogram

  constructor (readonly registry: Registry, private readonly maxTenants: number) {
    this.eventLoopDelay = monitorEventLoopDelay({ resolution: EVENT_LOOP_RESOLUTION_MS })
    this.eventLoopDelay.enable()

    this.perTenant('gauge', 'connections', 'Connected clients', [], (m, emit) => emit({}, m.connections))
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
    this.perTenant('counter', 'check_message_degraded_total', 'Messages allowed because /check-message failed', [],
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

    this.hookCallSeconds = new Histogram({
      name: 'mics_hook_call_duration_seconds',
      help: 'Time from asking for a hook call to its outcome, waiting for a slot included',
      labelNames: ['tenant', 'operation'],
      buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2],
      registers: [registry],
    })
    this.breakerState = new Gauge({
      name: 'mics_hook_breaker_state',
      help: 'Breaker of a hook: 0 closed, 1 open, 2 half-open',
      labelNames: ['tenant', 'operation'],
      registers: [registry],
    })
    this.tenantsReload = new Counter({
      name: 'mics_tenants_reloads_total',
      help: 'Changes of the tenants file, applied or refused',
      labelNames: ['result'],
      registers: [registry],
    })
    for (const result of ['applied', 'refused']) this.tenantsReload.inc({ result }, 0)
    this.nodeGauge('event_loop_lag_seconds', 'Event loop delay since the last scrape', ['quantile'], emit => {
      for (const quantile of [0.5, 0.99, 1]) {
        // The histogram holds the whole time between two looks; what is beyond the resolution is lag.
        const lagMs = this.eventLoopDelay.percentile(quantile * 100) / 1e6 - EVENT_LOOP_RESOLUTION_MS
        emit({ quantile }, Math.max(lagMs, 0) / 1000)
      }
      this.eventLoopDelay.reset()
    })
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

  breaker (tenantId: string, operation: string, state: number): void {
    this.breakerState.set({ tenant: this.label(tenantId), operation }, state)
  }

  /** For a hook that is no more. */
  forgetBreaker (tenantId: string, operation: string): void {
    this.breakerState.remove({ tenant: this.label(tenantId), operation })
  }

  /** A gauge of the node that is read when Prometheus asks. */
  nodeGauge (
    name: string, help: string, labelNames: string[],
    read: (emit: (labels: Labels, value: number) => void) => void
  ): void {
    this.node(Gauge, name, help, labelNames, read)
  }

  /** A counter of the node that is kept elsewhere and read when Prometheus asks. */
  nodeCounter (name: string, help: string, read: () => number): void {
    this.nodeCounters(name, help, [], emit => emit({}, read()))
  }

  /** The same with labels. */
  nodeCounters (
    name: string, help: string, labelNames: string[],
    read: (emit: (labels: Labels, value: number) => void) => void
  ): void {
    this.node(Counter, name, help, labelNames, read)
  }

  close (): void {
    this.eventLoopDelay.disable()
  }

  private add (tenantId: string): TenantMetrics {
    const key = this.tenants.size - (this.tenants.has(OTHER) ? 1 : 0) < this.maxTenants ? tenantId : OTHER
    let metrics = this.tenants.get(key)
    if (metrics === undefined) this.tenants.set(key, metrics = new TenantMetrics())
    return metrics
  }

  private perTenant (
    type: 'gauge' | 'counter', name: string, help: string, labelNames: string[],
    read: (metrics: TenantMetrics, emit: (labels: Labels, value: number) => void) => void
  ): void {
    this.node(type === 'gauge' ? Gauge : Counter, name, help, ['tenant', ...labelNames], emit => {
      for (const [tenant, metrics] of this.tenants) read(metrics, (labels, value) => emit({ tenant, ...labels }, value))
    })
  }

  private node (
    Type: typeof Gauge | typeof Counter, name: string, help: string, labelNames: string[],
    read: (emit: (labels: Labels, value: number) => void) => void
  ): void {
    const metric: Gauge | Counter = new Type({
      name: `mics_${name}`,
      help,
      labelNames,
      registers: [this.registry],
      collect: () => {
        metric.reset()
        read((labels, value) => metric.inc(labels, value))
      },
    })
  }
}

function each<K extends string | number> (
  counts: Counts<K>, labels: (key: K) => Labels, emit: (labels: Labels, value: number) => void
): void {
  for (const [key, count] of counts.entries()) emit(labels(key), count)
}
