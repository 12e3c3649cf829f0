import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import type { AppOptions } from '../lib/config/app-options.js'
import { Histogram } from '../lib/metrics/histogram.js'
import { EventQueue } from '../lib/mq/event-queue.js'
import type { EventTransport } from '../lib/mq/event-transport.js'
import { GatewayEvents } from '../lib/mq/gateway-events.js'
import { KafkaEventTransport } from '../lib/mq/kafka/kafka-event-transport.js'
import { MemoryEventTransport } from '../lib/mq/memory-event-transport.js'
import { TopicNames } from '../lib/mq/topic-names.js'

declare module 'fastify' {
  interface FastifyInstance {
    gatewayEvents: GatewayEvents
  }
}

/** Publishes what happens, for the tenants' backends: to Kafka where it is configured, else nowhere or into memory. */
export default fp<AppOptions>(async (app, { embedded = false, eventTransport }) => {
  const { config, gatewayMetrics, log } = app
  const transport = eventTransport ?? await openTransport(app, embedded)
  if (transport === undefined) {
    app.decorate('gatewayEvents', new GatewayEvents(undefined, Date.now))
    return
  }
  const queue = new EventQueue({
    transport,
    topics: new TopicNames(config.kafkaEventTopic, config.kafkaDlqTopic),
    nodeId: config.nodeId,
    metricsOf: tenantId => gatewayMetrics.tenant(tenantId),
    hasTenant: tenantId => app.tenants.get(tenantId) !== undefined,
    limits: {
      maxEvents: config.kafkaQueueCapacity,
      maxBytes: config.kafkaQueueMaxBytes,
      maxEventsPerTenant: config.kafkaMaxPendingPerTenant,
      maxBytesPerTenant: config.kafkaMaxPendingBytesPerTenant,
    },
    maxAttempts: config.kafkaMaxAttempts,
    backoffMs: config.kafkaRetryBackoffMs,
    log: { info: log.info.bind(log), warn: log.warn.bind(log) },
  })
  app.decorate('gatewayEvents', new GatewayEvents(queue, Date.now))
  gatewayMetrics.nodeGauge('events_oldest_age_seconds', 'Age of the oldest event waiting to be published', ['tenant'], emit => {
    const oldest = new Map<string, number>()
    for (const [tenantId, ageMs] of queue.oldestAges()) {
      const tenant = gatewayMetrics.label(tenantId)
      oldest.set(tenant, Math.max(oldest.get(tenant) ?? 0, ageMs))
    }
    for (const [tenant, ageMs] of oldest) emit({ tenant }, ageMs / 1000)
  })
  if (transport instanceof KafkaEventTransport) transport.on('up', () => queue.retryNow())
  // The plugins above close before this one: what the last connections had to tell is in the queue by then.
  app.addHook('onClose', async () => await queue.close(config.kafkaFlushSeconds * 1000))
}, { name: 'mq-publisher', dependencies: ['config', 'metrics', 'tenants'] })

async function openTransport (app: FastifyInstance, embedded: boolean): Promise<EventTransport | undefined> {
  const { config, gatewayMetrics, log } = app
  if (config.kafkaBrokers === '') return embedded ? new MemoryEventTransport() : undefined
  const kafka = await KafkaEventTransport.open(config)
  gatewayMetrics.nodeGauge('kafka_up', 'Whether Kafka answers', [], emit => emit({}, kafka.isUp ? 1 : 0))
  gatewayMetrics.nodeCounters('kafka_record_failures_total', 'Records that Kafka did not take, by what was at fault',
    ['fault'], emit => {
      for (const [fault, count] of Object.entries(kafka.failed)) emit({ fault }, count)
    })
  const seconds = new Histogram([0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10])
  gatewayMetrics.nodeHistogram('kafka_record_duration_seconds',
    'Time from handing a record to the Kafka client until it is stored', seconds)
  kafka.on('stored', ms => seconds.observe(ms / 1000))
  let goneAt = 0
  kafka.on('down', problem => {
    goneAt = performance.now()
    log.warn({ problem }, 'Kafka does not answer: events wait')
  })
  kafka.on('up', () => {
    if (goneAt > 0) log.info({ goneMs: Math.round(performance.now() - goneAt) }, 'Kafka answers again: events that waited go out')
  })
  return kafka
}
