/**
 * The counts of one tenant (or of `other`, see GatewayMetrics) that change with every message: plain numbers, because
 * a labelled prom-client counter costs more than decoding a frame. They are read when Prometheus asks.
 */
export class TenantMetrics {
  connections = 0
  connectionsOpened = 0
  /** Of the limits; 0: none. */
  connectionsLimit = 0
  messagesPerSecondLimit = 0
  readonly closes = new Counts<number | 'other'>(4100, 4101, 4503)
  readonly messages = new Counts<'single' | 'group' | 'invalid'>('single', 'group', 'invalid')
  readonly frameErrors = new Counts<number>()
  readonly deliveries = new Counts<DeliveryPath>('local', 'offline_buffer', 'offline_event', 'offline_pull')
  readonly acks = new Counts<'sent' | 'duplicate' | 'failed'>('sent', 'duplicate', 'failed')
  readonly ackFailures = new Counts<string>()
  readonly rateLimited = new Counts<RateLimitKind>('message_qps', 'tenant_connections', 'user_connections', 'handshake')
  readonly dedupHits = new Counts<'duplicate' | 'in_flight' | 'conflict'>('duplicate', 'in_flight', 'conflict')
  readonly hookCalls = new Map<string, Counts<string>>()
  readonly hookSeconds = new Map<string, number>()
  checkDegraded = 0
  offlineMessages = 0
  offlineBytes = 0
  offlineBuffered = 0
  offlineDelivered = 0
  readonly offlineEvicted = new Counts<OfflineEviction>(
    'user_limit', 'tenant_limit', 'node_limit', 'expired', 'tenant_removed')

  offlineSkipped = 0
  offlineLost = 0
  readonly pullProblems = new Counts<string>()
  outboundOverflows = 0
  eventsPublished = 0
  eventsDeadLettered = 0
  eventsRetried = 0
  readonly eventsDropped = new Counts<EventDrop>('queue_full', 'node_full', 'refused', 'shutdown', 'tenant_removed')
  eventsPending = 0
  eventsPendingBytes = 0

  hookCall (operation: string, result: string, seconds: number): void {
    let results = this.hookCalls.get(operation)
    if (results === undefined) this.hookCalls.set(operation, results = new Counts())
    results.add(result)
    this.hookSeconds.set(operation, (this.hookSeconds.get(operation) ?? 0) + seconds)
  }
}

type DeliveryPath = 'local' | 'offline_buffer' | 'offline_event' | 'offline_pull'

type RateLimitKind = 'message_qps' | 'tenant_connections' | 'user_connections' | 'handshake'

export type OfflineEviction = 'user_limit' | 'tenant_limit' | 'node_limit' | 'expired' | 'tenant_removed'

export type EventDrop = 'queue_full' | 'node_full' | 'refused' | 'shutdown' | 'tenant_removed'

/** Counts by a label value from a small fixed set. */
export class Counts<K> {
  private readonly counts = new Map<K, number>()

  /** @param known values that are there from the start, at 0: an alert sees the first event only as a change from 0 */
  constructor (...known: K[]) {
    for (const key of known) this.counts.set(key, 0)
  }

  add (key: K, by = 1): void {
    this.counts.set(key, (this.counts.get(key) ?? 0) + by)
  }

  entries (): IterableIterator<[K, number]> {
    return this.counts.entries()
  }
}
