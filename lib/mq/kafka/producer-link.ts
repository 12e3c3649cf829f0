import { EventEmitter } from 'node:events'
import { withinMs } from '../../timing/within-ms.js'
import { problemOf } from './client-problem.js'
import { KafkaSettingsError } from './client-settings.js'
import type { ClientSettings, KafkaClient, KafkaError, KafkaProducer } from './kafka-client.js'

export interface ProducerLinkEvents {
  /** A record was stored, or failed. The number is the one that it was produced with. */
  report: [error: KafkaError | null, id: number]
  /** No broker could be reached, or this node could not log in. */
  trouble: []
  /** The producer was given up. What it had is lost; there will be another one. */
  lost: []
}

/** Milliseconds for Kafka to answer a question about a topic. */
const ASK_TIMEOUT_MS = 2000

/** Milliseconds until it is tried again to make a producer. */
const REMAKE_DELAY_MS = 1000

const CLOSE_TIMEOUT_MS = 3000

/** Syslog's severity of an error; a larger one is less. */
const SEVERITY_ERROR = 3

/**
 * Keeps a producer. Whether brokers can be reached is none of its matter, librdkafka connects by itself and goes on
 * trying; a producer that has become unusable (a fatal error) is replaced.
 */
export class ProducerLink extends EventEmitter<ProducerLinkEvents> {
  /** undefined: there is none just now. */
  producer: KafkaProducer | undefined
  /** What went wrong last, in librdkafka's words. Empty: nothing. */
  lastProblem = ''
  private isClosed = false
  private timer: NodeJS.Timeout | undefined

  constructor (private readonly client: Pick<KafkaClient, 'Producer'>, private readonly settings: ClientSettings) {
    super()
  }

  /**
   * Makes the producer; Kafka need not answer.
   * @throws {KafkaSettingsError} when librdkafka cannot use its settings.
   */
  async open (): Promise<void> {
    let producer: KafkaProducer
    try {
      producer = await this.make()
    } catch (error) {
      throw new KafkaSettingsError(`the Kafka client cannot be used as it is configured: ${(error as Error).message}`, { cause: error })
    }
    this.producer = producer
  }

  /** Asks the cluster for a topic; '' asks for nothing but an answer. Rejects when there is none in time. */
  async ask (topic: string): Promise<'present' | 'absent'> {
    const { producer } = this
    if (producer === undefined) throw new Error('there is no Kafka producer just now')
    return await new Promise((resolve, reject) => {
      const options = { ...(topic === '' ? {} : { topic }), allTopics: false, timeout: ASK_TIMEOUT_MS }
      producer.getMetadata(options, (error, metadata) => {
        if (error !== null && error !== undefined) return reject(error)
        const found = metadata.topics.find(({ name }) => name === topic)
        resolve(found !== undefined && found.partitions.length > 0 ? 'present' : 'absent')
      })
    })
  }

  /** Gives the producer up, after an error that leaves it unusable, and makes another. */
  replace (): void {
    const { producer } = this
    if (producer === undefined || this.isClosed) return
    this.producer = undefined
    this.emit('lost')
    end(producer)
    this.remake()
  }

  /** Resolves when the producer is ended, or after a few seconds; it then ends by itself. */
  async close (): Promise<void> {
    this.isClosed = true
    clearTimeout(this.timer)
    const { producer } = this
    this.producer = undefined
    if (producer !== undefined) await withinMs(CLOSE_TIMEOUT_MS, end(producer))
  }

  private async remake (): Promise<void> {
    try {
      const producer = await this.make()
      if (this.isClosed) return await end(producer)
      this.producer = producer
    } catch (error) {
      this.lastProblem = (error as Error).message
      this.emit('trouble')
      if (this.isClosed) return
      this.timer = setTimeout(() => { this.remake() }, REMAKE_DELAY_MS).unref()
    }
  }

  private async make (): Promise<KafkaProducer> {
    const producer = new this.client.Producer(this.settings)
    producer.on('delivery-report', (error, { opaque = 0 }) => this.emit('report', error, opaque))
    producer.on('event.log', ({ severity, message }) => {
      if (severity <= SEVERITY_ERROR) this.lastProblem = problemOf(message)
    })
    producer.on('event.error', ({ message }) => {
      // The code is not told, only its text.
      if (message === 'fatal error' && producer === this.producer) this.replace()
      else this.emit('trouble')
    })
    await connect(producer)
    producer.setPollInBackground(true)
    return producer
  }
}

/**
 * The client's `connect` waits for an answer of the cluster, and gives the producer up where there is none in time.
 * librdkafka needs no answer to start, so it is spared the question.
 */
async function connect (producer: KafkaProducer): Promise<void> {
  const { getMetadata } = producer
  producer.getMetadata = (_, done) => done(null, { topics: [] })
  try {
    await new Promise<void>((resolve, reject) => {
      producer.connect({}, error => {
        if (error === null || error === undefined) resolve()
        else reject(error)
      })
    })
  } finally {
    producer.getMetadata = getMetadata
  }
}

/** Without waiting for its records. */
async function end (producer: KafkaProducer): Promise<void> {
  await new Promise<void>(resolve => {
    producer.disconnect(0, () => resolve())
  })
}
