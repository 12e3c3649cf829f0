import { EventBatch, type EventHandling, type EventRecord } from './event-batch.js'
import { EventMetrics } from './event-metrics.js'
import { consoleLogger, ThrottledLogger, type Logger } from './logger.js'
import { loadKafkaClient, type KafkaClient, type KafkaClientLogger, type KafkaConsumerClient, type KafkaBatchPayload } from './kafka-client.js'
import type { EventSigning } from './open-event.js'
import { checkSecrets } from './secrets.js'
import { SeenEventMemory, type SeenEvents } from './seen-events.js'
import { Slots } from './slots.js'
import { topicName } from './topic-name.js'

export type EventConsumerOptions = EventSigning & {
  /** `host:port`, several with commas between or as a list. */
  brokers: string | readonly string[]
  /** More settings of librdkafka, such as those of TLS and SASL: `{ 'security.protocol': 'sasl_ssl', … }`. */
  kafka?: Readonly<Record<string, string | number | boolean>>
  /** Consumers with the same share the events between them. */
  groupId: string
  /** Whose events are read. */
  tenantIds: string | readonly string[]
  /** Default `im-mics-{tenant_id}-event`. */
  topic?: string
  /** Default `im-mics-{tenant_id}-event-dlq`. */
  deadLetterTopic?: string
  /** Reads dead letters as well; they have `isDeadLetter`. The topics must be there. Default false. */
  deadLetters?: boolean
  /** Does a group that is new begin with what the topics hold? Default true: else it begins with what comes next. */
  fromBeginning?: boolean
  /** An event counts as handled when it resolves; when it throws, the event is tried again. */
  handler: EventHandling['handler']
  /** Events handled at once, each of another conversation. Default 16. */
  concurrency?: number
  /** Attempts before `onFailed` is called. Default 5. */
  maxAttempts?: number
  /** Milliseconds between the first two attempts; it doubles up to 5 seconds. Default 200. */
  retryDelayMs?: number
  /**
   * Takes an event whose handler failed `maxAttempts` times, such as into a table of your own: when it resolves, the
   * event counts as handled. Missing: the partition waits, and the event is tried again until its handler succeeds.
   */
  onFailed?: EventHandling['onFailed']
  /** Hears of records that are not the gateway's. They are never handled. Default: the log, throttled. */
  onInvalid?: EventHandling['onInvalid']
  /** Remembers which events were handled. Default: the memory of this process. */
  seen?: SeenEvents
  /** Events remembered there. Default 100,000. */
  maxSeen?: number
  /** Where warnings and errors go. Default: the console. */
  logger?: Logger
}

/** Records of a partition that are handled before their offset is committed. */
const BATCH_SIZE = 100

/** Milliseconds until a topic is found that was not there yet: that of a new tenant comes with its first event. */
const TOPIC_REFRESH_MS = 10_000

/**
 * Milliseconds after which nothing of a batch is begun any more: what is done is committed, and the rest comes with the
 * next. While a batch is at work, its Kafka client fetches nothing for other partitions, and cannot change its group.
 */
const MAX_BATCH_MS = 5000

/**
 * Clients of Kafka at most. Each tenant has its own, so that one whose handler is slow holds up no other; where there
 * are more tenants some share one: a client costs several threads and a connection to each broker.
 */
const MAX_CLIENTS = 16

/** KiB of events that all clients together fetch ahead while handlers are slow: what librdkafka has for each. */
const FETCHED_AHEAD_KIB = 64 * 1024

/** Reads the events of one tenant or of several. */
export class EventConsumer {
  private readonly log: ThrottledLogger
  private readonly counts: EventMetrics
  private readonly seen: SeenEvents
  private readonly slots: Slots
  private readonly stopping = new AbortController()
  /** Of each client. */
  private readonly topics: string[][]
  private clients: KafkaConsumerClient[] = []
  private starting?: Promise<void>
  private stopped?: Promise<void>

  /** @throws TypeError where an option is missing or wrong; it names it. */
  constructor (private readonly options: EventConsumerOptions) {
    this.topics = topicsOf(options)
    checkOptions(options)
    const memory = options.seen === undefined ? new SeenEventMemory(options.maxSeen ?? 100_000) : undefined
    this.seen = options.seen ?? memory as SeenEventMemory
    this.slots = new Slots(options.concurrency ?? 16)
    this.log = new ThrottledLogger(options.logger ?? consoleLogger)
    this.counts = new EventMetrics(() => memory?.size)
  }

  /**
   * Resolves when it reads. Rejects where the Kafka client is not installed, or the brokers cannot be reached: then
   * make another consumer to try again.
   */
  async start (): Promise<void> {
    this.starting ??= this.connect()
    await this.starting
  }

  /** Lets handlers finish what they are at, commits that, and leaves the group. */
  async stop (): Promise<void> {
    this.stopped ??= this.disconnect()
    await this.stopped
  }

  /** Counts in Prometheus' text format (`text/plain; version=0.0.4`). */
  metrics (): string {
    return this.counts.text()
  }

  private async connect (): Promise<void> {
    const kafka = await loadKafkaClient()
    const aheadKiB = Math.floor(FETCHED_AHEAD_KIB / this.topics.length)
    this.clients = this.topics.map(() => consumerOf(kafka, this.options, aheadKiB, this.log))
    const connected = await Promise.allSettled(this.clients.map(async client => await client.connect()))
    const failed = connected.find(result => result.status === 'rejected')
    if (failed !== undefined) {
      // None is left behind: whoever tries again makes others.
      await this.disconnectClients()
      const { brokers } = this.options
      const cause = failed.reason as Error
      throw new Error(`the Kafka brokers ${String(brokers)} cannot be reached: ${cause.message}`, { cause })
    }
    await Promise.all(this.clients.map(async (client, i) => {
      await client.subscribe({ topics: this.topics[i] })
      await client.run({
        eachBatchAutoResolve: false,
        partitionsConsumedConcurrently: Math.max(this.options.concurrency ?? 16, this.topics[i].length),
        eachBatch: async payload => await this.handle(client, payload),
      })
    }))
  }

  private async disconnect (): Promise<void> {
    this.stopping.abort(new Error('the consumer was told to stop'))
    // A start that failed has been reported to who called it.
    await this.starting?.catch(() => {})
    await this.disconnectClients()
  }

  private async disconnectClients (): Promise<void> {
    await Promise.all(this.clients.map(async client => await client.disconnect()))
  }

  private async handle (client: KafkaConsumerClient, payload: KafkaBatchPayload): Promise<void> {
    const { topic, partition, messages } = payload.batch
    const records = messages.map(({ key, value, headers, offset }): EventRecord => ({
      topic,
      partition,
      offset,
      key: key === null || key === undefined ? null : String(key),
      value: value === null ? new Uint8Array() : Buffer.from(value),
      headers: headers ?? {},
    }))
    const { maxAttempts = 5, retryDelayMs = 200, handler, onFailed, onInvalid } = this.options
    const endsAt = performance.now() + MAX_BATCH_MS
    const count = await new EventBatch(records, {
      signing: this.options,
      handling: { handler, onFailed, onInvalid, maxAttempts, retryDelayMs },
      seen: this.seen,
      slots: this.slots,
      metrics: this.counts,
      log: this.log,
      stopping: this.stopping.signal,
      isLost: () => payload.isStale(),
      isOverdue: () => performance.now() > endsAt,
    }).run()
    // What is not resolved is brought again by the client.
    if (count === 0 || payload.isStale()) return
    const { offset } = records[count - 1]
    payload.resolveOffset(offset)
    try {
      await client.commitOffsets([{ topic, partition, offset: String(BigInt(offset) + 1n) }])
    } catch (error) {
      // The next commit is for these too; if there is none, they come again and are recognized.
      this.log.warn('commit', { topic, partition, offset, err: error }, 'an offset could not be committed')
    }
  }
}

/** Reads the events of one tenant or of several. Throws a TypeError where an option is missing or wrong. */
export function createEventConsumer (options: EventConsumerOptions): EventConsumer {
  return new EventConsumer(options)
}

function consumerOf (
  kafka: KafkaClient, options: EventConsumerOptions, aheadKiB: number, log: ThrottledLogger
): KafkaConsumerClient {
  const { Kafka, logLevel } = kafka.KafkaJS
  const { brokers, groupId, fromBeginning = true } = options
  const list = typeof brokers === 'string' ? brokers.split(',').map(broker => broker.trim()) : [...brokers]
  const logger = clientLogger(log)
  return new Kafka({ kafkaJS: { brokers: list, logLevel: logLevel.ERROR, logger } }).consumer({
    kafkaJS: { groupId, fromBeginning, autoCommit: false, allowAutoTopicCreation: false },
    'js.consumer.max.batch.size': BATCH_SIZE,
    // Of the client's own 5 minutes a new tenant would think that nothing works.
    'topic.metadata.refresh.interval.ms': TOPIC_REFRESH_MS,
    'queued.max.messages.kbytes': aheadKiB,
    ...options.kafka,
  })
}

/** What Kafka's client says of trouble, such as brokers that went away: it goes on by itself. */
function clientLogger (log: ThrottledLogger): KafkaClientLogger {
  const logger: KafkaClientLogger = {
    error: message => log.warn(`kafka ${message.slice(0, 50)}`, { client: 'kafka' }, `Kafka's client: ${message}`),
    warn: () => {},
    info: () => {},
    debug: () => {},
    namespace: () => logger,
    setLogLevel: () => {},
  }
  return logger
}

/** The topics of each client. */
function topicsOf (options: EventConsumerOptions): string[][] {
  const { tenantIds, topic = 'im-mics-{tenant_id}-event', deadLetterTopic = 'im-mics-{tenant_id}-event-dlq' } = options
  const ids = typeof tenantIds === 'string' ? [tenantIds] : tenantIds
  if (!Array.isArray(ids) || ids.length === 0 || !ids.every(id => typeof id === 'string' && id !== '')) {
    throw new TypeError('tenantIds must be the id of a tenant, or a list of such')
  }
  const templates = options.deadLetters === true ? [topic, deadLetterTopic] : [topic]
  const clients: string[][] = []
  for (const [i, id] of [...new Set<string>(ids)].entries()) {
    const topics = templates.map(template => topicName(template, id))
    if (i < MAX_CLIENTS) clients.push(topics)
    else clients[i % MAX_CLIENTS].push(...topics)
  }
  return clients
}

function checkOptions (options: EventConsumerOptions): void {
  const { secrets, allowUnsigned = false, brokers, groupId, handler } = options
  if (typeof handler !== 'function') throw new TypeError('handler must be a function: it is given each event')
  if (secrets === undefined && !allowUnsigned) {
    throw new TypeError('secrets are missing: give the tenant\'s secret, or allowUnsigned: true to take any event')
  }
  if (secrets !== undefined) checkSecrets(secrets)
  if (brokers === undefined || brokers.length === 0) throw new TypeError('brokers must be host:port, or a list of such')
  if (typeof groupId !== 'string' || groupId === '') throw new TypeError('groupId must be a string that is not empty')
  for (const name of ['concurrency', 'maxAttempts', 'retryDelayMs', 'maxSeen'] as const) {
    const value = options[name]
    if (value !== undefined && !(Number.isInteger(value) && value > 0 && value < 2 ** 31)) {
      throw new TypeError(`${name} must be a whole number above 0 and below 2147483648`)
    }
  }
}
