import { setTimeout as delay } from 'node:timers/promises'
import type { ClientSettings, KafkaAdmin, KafkaClient, KafkaError, NewTopic } from './kafka-client.js'
import type { TopicLooks } from './topic-looks.js'

/** Milliseconds for the cluster to create a topic. */
const CREATE_TIMEOUT_MS = 5000

/** Milliseconds for brokers to know a topic that the cluster has created. */
const SPREAD_TIMEOUT_MS = 5000

const SPREAD_INTERVAL_MS = 50

/** Topics remembered as present, and as refused; beyond it that is found out anew. */
const MAX_REMEMBERED = 20_000

/** How topics are created; 0: as the brokers do by default. */
export interface TopicShape {
  partitions: number
  replicationFactor: number
  /** `max.message.bytes`. */
  maxBytes: number
}

/** A topic is not there and could not be created. `reason` is the name of Kafka's error. */
export class TopicCreationError extends Error {
  constructor (readonly reason: string, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'TopicCreationError'
  }
}

interface Waiting {
  readonly topic: string
  readonly created: () => void
  readonly failed: (error: unknown) => void
}

/**
 * Creates topics that do not exist, one after another. Those whose creation failed before come last, so that however
 * many there are, the first event of another tenant does not wait for them.
 */
export class TopicCreation {
  private readonly present = new Set<string>()
  private readonly refused = new Set<string>()
  private readonly preparing = new Map<string, Promise<void>>()
  private readonly newcomers: Waiting[] = []
  private readonly others: Waiting[] = []
  /**
   * A client of its own, while there is something to create: one that shares the producer's (createFrom) copies a lock
   * of it, and hangs for ever where that was held just then. Making and ending one takes two milliseconds.
   */
  private admin?: KafkaAdmin
  private isCreating = false
  private isClosed = false

  constructor (
    private readonly client: Pick<KafkaClient, 'AdminClient'>,
    private readonly settings: ClientSettings,
    private readonly shape: TopicShape,
    private readonly looks: TopicLooks,
    private readonly nameOf: (code: number) => string
  ) {}

  /** Whether a topic is known to be there. */
  has (topic: string): boolean {
    return this.present.has(topic)
  }

  /** It is missing after all. */
  forget (topic: string): void {
    this.present.delete(topic)
  }

  /**
   * Creates the topic where it is missing. Resolves when the brokers know it.
   * @throws {TopicCreationError} when it is missing and cannot be created, or Kafka does not answer (`_TIMED_OUT`).
   */
  async prepare (topic: string): Promise<void> {
    let preparation = this.preparing.get(topic)
    if (preparation === undefined) {
      preparation = this.prepareNow(topic).finally(() => this.preparing.delete(topic))
      this.preparing.set(topic, preparation)
    }
    await preparation
  }

  /** What waits is not created any more. */
  close (): void {
    this.isClosed = true
  }

  private async prepareNow (topic: string): Promise<void> {
    // What was found a moment ago may be why it is asked for: that it was there, and is not.
    const state = await this.looks.lookAgain(topic)
    if (state === 'silent') throw new TopicCreationError('_TIMED_OUT', 'Kafka does not answer')
    if (state === 'absent') {
      await this.createInTurn(topic)
      await this.spread(topic)
    }
    remember(this.present, topic)
  }

  private async createInTurn (topic: string): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const lane = this.refused.has(topic) ? this.others : this.newcomers
      lane.push({ topic, created: resolve, failed: reject })
      if (!this.isCreating) this.createAll()
    })
  }

  /** Until nobody waits. */
  private async createAll (): Promise<void> {
    this.isCreating = true
    for (let next = this.next(); next !== undefined; next = this.next()) {
      try {
        await this.create(next.topic)
        this.refused.delete(next.topic)
        next.created()
      } catch (error) {
        remember(this.refused, next.topic)
        next.failed(error)
      }
    }
    this.admin?.disconnect()
    this.admin = undefined
    this.isCreating = false
  }

  private next (): Waiting | undefined {
    return this.newcomers.shift() ?? this.others.shift()
  }

  private async create (topic: string): Promise<void> {
    if (this.isClosed) throw new TopicCreationError('_DESTROY', 'the connection to Kafka was closed')
    const { partitions, replicationFactor, maxBytes } = this.shape
    const asked: NewTopic = {
      topic,
      num_partitions: partitions === 0 ? -1 : partitions,
      replication_factor: replicationFactor === 0 ? -1 : replicationFactor,
      config: { 'max.message.bytes': String(maxBytes) },
    }
    try {
      const admin = this.admin ??= this.client.AdminClient.create(this.settings)
      await new Promise<void>((resolve, reject) => {
        admin.createTopic(asked, CREATE_TIMEOUT_MS, error => {
          if (error === undefined || this.nameOf(error.code) === 'TOPIC_ALREADY_EXISTS') resolve()
          else reject(error)
        })
      })
    } catch (error) {
      const reason = this.nameOf((error as KafkaError).code)
      throw new TopicCreationError(reason, `the topic ${topic} does not exist, and creating it failed: ${(error as Error).message}`, { cause: error })
    }
  }

  private async spread (topic: string): Promise<void> {
    const deadline = performance.now() + SPREAD_TIMEOUT_MS
    while (await this.looks.lookAgain(topic) === 'absent') {
      if (performance.now() > deadline) {
        throw new TopicCreationError('UNKNOWN_TOPIC_OR_PART', `the topic ${topic} was created, and the brokers do not know it yet`)
      }
      await delay(SPREAD_INTERVAL_MS, undefined, { ref: false })
    }
  }
}

function remember (topics: Set<string>, topic: string): void {
  if (topics.size >= MAX_REMEMBERED) topics.clear()
  topics.add(topic)
}
