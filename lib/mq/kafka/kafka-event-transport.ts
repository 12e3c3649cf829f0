import { EventEmitter } from 'node:events'
import type { GatewayConfig } from '../../config/gateway-config.js'
import { PublishError, type EventRecord, type EventTransport, type PublishFault } from '../event-transport.js'
import { BATCH_BYTES, clientSettings, producerSettings, topicMaxBytes, type KafkaProducerConfig } from './client-settings.js'
import type { KafkaClient, KafkaError } from './kafka-client.js'
import { loadKafkaClient } from './load-client.js'
import { ProducerLink } from './producer-link.js'
import { adviceOn, errorNames, faultOf, type Fault } from './publish-faults.js'
import { RecordsBehind } from './records-behind.js'
import { RecordsOnTheWay } from './records-on-the-way.js'
import { TopicCreation, TopicCreationError } from './topic-creation.js'
import { TopicLooks } from './topic-looks.js'

export type KafkaTransportConfig = KafkaProducerConfig &
  Pick<GatewayConfig, 'kafkaCreateTopics' | 'kafkaTopicPartitions' | 'kafkaTopicReplicationFactor'>

export interface KafkaTransportEvents {
  /** Kafka answers: the first time, or again. */
  up: []
  /** Kafka does not answer. Once, until it is up again. The problem may be empty. */
  down: [problem: string]
  /** A record was stored, so long after it was handed over. */
  stored: [ms: number]
}

type Done = (error?: PublishError) => void

interface Sending {
  readonly record: EventRecord
  readonly done: Done
  /** Milliseconds of `performance.now()`. */
  readonly sentAt: number
}

/** Milliseconds between two looks whether Kafka is back. */
const PROBE_INTERVAL_MS = 2000

/**
 * Events to Kafka, by librdkafka's idempotent producer: a record counts as stored when all replicas in sync have it,
 * and the producer's own retries neither double nor reorder it.
 *
 * A record that failed may be stored all the same, where the answer was lost. In two cases a record is stored before
 * one of the same topic and key that was sent before it, both after a fault of `topic` or `cluster` in the middle of
 * what was on its way. In both it is reported as failed as well, so when all is published again, the last copies of the
 * records are in order:
 * - The first of two times out, and the other, which has milliseconds more, is stored in that time.
 * - The producer had to be replaced, and a request of the old one reaches its broker only after one of the new.
 */
export class KafkaEventTransport extends EventEmitter<KafkaTransportEvents> implements EventTransport {
  private readonly names: ReadonlyMap<number, string>
  private readonly link: ProducerLink
  private readonly looks: TopicLooks
  private readonly creation: TopicCreation | undefined
  private readonly onTheWay = new RecordsOnTheWay<Sending>()
  /** Records that wait until their topic is there. */
  private readonly held = new Map<string, Sending[]>()
  /** By topic and key: why they must fail. Else the one that failed would be published again behind them. */
  private readonly failing = new RecordsBehind<Promise<PublishError>>()
  /** By topic: whether they may have been refused for what they were in a batch with. */
  private readonly crowded = new RecordsBehind<true>()
  /** By topic and key: of which a record was refused in this turn of the event loop. */
  private readonly refusedLines = new Map<string, PublishError>()
  /** What is to be told at the end of this turn. */
  private refused: Array<[Sending, PublishError]> = []
  private heldCount = 0
  private state: 'unknown' | 'up' | 'down' = 'unknown'
  private probing: NodeJS.Timeout | undefined
  private isClosed = false
  private storedCount = 0
  private storedByteCount = 0
  private readonly failedCounts: Record<PublishFault, number> = { event: 0, topic: 0, cluster: 0 }

  private constructor (client: KafkaClient, config: KafkaTransportConfig) {
    super()
    this.names = errorNames(client)
    this.link = new ProducerLink(client, producerSettings(config))
    this.looks = new TopicLooks(
      async topic => await this.link.ask(topic),
      answered => answered ? this.answers() : this.doesNotAnswer()
    )
    if (config.kafkaCreateTopics) {
      this.creation = new TopicCreation(client, clientSettings(config), {
        partitions: config.kafkaTopicPartitions,
        replicationFactor: config.kafkaTopicReplicationFactor,
        maxBytes: topicMaxBytes(config),
      }, this.looks, code => this.nameOf(code))
    }
    this.link.on('report', (error, id) => this.reported(error, id))
    this.link.on('trouble', () => { this.looks.lookAgain('') })
    this.link.on('lost', () => this.giveUp('_FATAL', 'the Kafka producer became unusable, and is replaced'))
  }

  /**
   * Opens one. Kafka need not answer: it is connected to as soon as it does.
   * @param loadClient as `loadKafkaClient` does it; another one in tests
   * @throws {KafkaClientError} when the client is not installed, or cannot be loaded.
   * @throws {KafkaSettingsError} when it cannot be used as it is configured, such as with an unreadable CA file.
   */
  static async open (config: KafkaTransportConfig, loadClient = loadKafkaClient): Promise<KafkaEventTransport> {
    const transport = new KafkaEventTransport(await loadClient(), config)
    await transport.link.open()
    transport.looks.look('')
    return transport
  }

  /** Whether Kafka answered last. */
  get isUp (): boolean {
    return this.state === 'up'
  }

  /** Records that are neither stored nor failed. */
  get inFlight (): number {
    return this.onTheWay.size + this.heldCount
  }

  /** Records stored. */
  get stored (): number {
    return this.storedCount
  }

  /** Bytes of their values. */
  get storedBytes (): number {
    return this.storedByteCount
  }

  /** Records that failed, by what is at fault. */
  get failed (): Readonly<Record<PublishFault, number>> {
    return this.failedCounts
  }

  send (record: EventRecord, done: Done): void {
    const sending = { record, done, sentAt: performance.now() }
    const { creation } = this
    // Behind one that was refused in this turn it must not be held: it would be stored before that goes again.
    const isReady = creation === undefined || creation.has(record.topic) || this.refusalBefore(record) !== undefined
    if (isReady) this.produce(sending)
    else this.hold(sending, creation)
  }

  async close (): Promise<void> {
    if (this.isClosed) return
    this.isClosed = true
    clearInterval(this.probing)
    this.creation?.close()
    this.giveUp('_DESTROY', 'the connection to Kafka was closed')
    await this.link.close()
  }

  private produce (sending: Sending): void {
    const { record } = sending
    const { topic, key, value, headers } = record
    const refusal = this.refusalBefore(record)
    if (refusal !== undefined) return this.refuse(sending, refusal)
    const { producer } = this.link
    if (producer === undefined) {
      return this.refuse(sending, new PublishError('cluster', '_STATE', 'there is no Kafka producer just now'))
    }
    const id = this.onTheWay.add(sending)
    try {
      producer.produce(topic, null, value, key, null, id, headers.map(([name, text]) => ({ [name]: text })))
    } catch (error) {
      this.onTheWay.take(id)
      const { code } = error as Partial<KafkaError>
      // What the client refuses before it asks librdkafka has no code: it is not connected.
      const reason = code === undefined ? '_STATE' : this.nameOf(code)
      this.refuse(sending, this.errorOf(plainFault(reason), reason, topic, (error as Error).message))
      this.noteReason(reason, topic)
    }
  }

  /** Why one that is before a record, on the same line, was refused in this turn. */
  private refusalBefore (record: EventRecord): PublishError | undefined {
    return this.refusedLines.size > 0 ? this.refusedLines.get(lineOf(record)) : undefined
  }

  /** Fails a record that the client did not take: later, and with it those behind it that come in this turn. */
  private refuse (sending: Sending, error: PublishError): void {
    if (this.refused.length === 0) setImmediate(() => this.tellRefused())
    this.refused.push([sending, error])
    if (error.fault !== 'event') this.refusedLines.set(lineOf(sending.record), error)
  }

  private tellRefused (): void {
    const refused = this.refused
    this.refused = []
    this.refusedLines.clear()
    for (const [sending, error] of refused) this.fail(sending, error)
  }

  private reported (error: KafkaError | null, id: number): void {
    const sending = this.onTheWay.take(id)
    // It was given up.
    if (sending === undefined) return
    const failing = this.failing.size > 0 ? this.failing.get(lineOf(sending.record), id) : undefined
    if (error !== null) this.failedReport(sending, id, error)
    else if (failing !== undefined) failing.then(reason => this.fail(sending, reason))
    else this.succeed(sending)
    this.failing.forget(this.onTheWay.oldestId)
    this.crowded.forget(this.onTheWay.oldestId)
  }

  private failedReport (sending: Sending, id: number, { code, message }: KafkaError): void {
    const { record, record: { topic } } = sending
    const reason = this.nameOf(code)
    let fault = faultOf(reason)
    if (fault === 'event') {
      if (this.wasAlone(record, id)) return this.fail(sending, this.errorOf('event', reason, topic, message))
      fault = 'topic'
    }
    const error = this.clearedUp(fault, reason, topic, message)
    this.failing.mark(lineOf(record), id, this.onTheWay.latestId, error)
    error.then(cleared => this.fail(sending, cleared))
    this.noteReason(reason, topic)
  }

  /**
   * Brokers refuse batches, not records: such as one that is too large for its topic, of records that are not. Only
   * one that was on its own is known to be at fault; the others have to be sent again, one at a time.
   */
  private wasAlone ({ topic, value }: EventRecord, id: number): boolean {
    if (value.length >= BATCH_BYTES) return true
    const isCrowded = this.crowded.get(topic, id) ?? this.onTheWay.some(({ record }) => record.topic === topic)
    // What came since the first of the batch failed may have been in one with this record.
    if (isCrowded) this.crowded.mark(topic, id, this.onTheWay.latestId, true)
    return !isCrowded
  }

  /** Where Kafka answers, a record that got no answer is a fault of its topic. */
  private async clearedUp (fault: Fault, reason: string, topic: string, message: string): Promise<PublishError> {
    if (fault === 'unclear') fault = await this.looks.look(topic) === 'silent' ? 'cluster' : 'topic'
    return this.errorOf(fault, reason, topic, message)
  }

  private noteReason (reason: string, topic: string): void {
    if (reason === '_FATAL') this.link.replace()
    // It may be gone: that is looked at before the next record.
    else if (faultOf(reason) === 'topic') this.creation?.forget(topic)
  }

  private hold (sending: Sending, creation: TopicCreation): void {
    const { topic } = sending.record
    const held = this.held.get(topic)
    this.heldCount++
    if (held !== undefined) {
      held.push(sending)
      return
    }
    this.held.set(topic, [sending])
    creation.prepare(topic).then(() => this.release(topic), error => this.release(topic, error))
  }

  private release (topic: string, error?: TopicCreationError): void {
    const held = this.takeHeld(topic)
    if (error === undefined) {
      for (const sending of held) this.produce(sending)
    } else {
      // That its creation was refused is no fault of an event, whatever the reason.
      const fault = plainFault(error.reason) === 'cluster' ? 'cluster' : 'topic'
      for (const sending of held) this.fail(sending, new PublishError(fault, error.reason, error.message))
    }
  }

  private takeHeld (topic: string): Sending[] {
    const held = this.held.get(topic) ?? []
    this.held.delete(topic)
    this.heldCount -= held.length
    return held
  }

  private giveUp (reason: string, message: string): void {
    const held = [...this.held.keys()].flatMap(topic => this.takeHeld(topic))
    for (const sending of [...this.onTheWay.takeAll(), ...held]) {
      this.refuse(sending, new PublishError('cluster', reason, message))
    }
    this.failing.forget(this.onTheWay.oldestId)
    this.crowded.forget(this.onTheWay.oldestId)
  }

  private succeed ({ record, done, sentAt }: Sending): void {
    this.storedCount++
    this.storedByteCount += record.value.length
    this.answers()
    this.emit('stored', performance.now() - sentAt)
    done()
  }

  private fail ({ done }: Sending, error: PublishError): void {
    this.failedCounts[error.fault]++
    done(error)
  }

  private answers (): void {
    if (this.state === 'up' || this.isClosed) return
    this.state = 'up'
    clearInterval(this.probing)
    this.emit('up')
  }

  private doesNotAnswer (): void {
    if (this.state === 'down' || this.isClosed) return
    this.state = 'down'
    this.probing = setInterval(() => { this.looks.look('') }, PROBE_INTERVAL_MS).unref()
    this.emit('down', this.link.lastProblem)
  }

  private errorOf (fault: PublishFault, reason: string, topic: string, message: string): PublishError {
    const advice = adviceOn(reason, this.creation !== undefined)
    return new PublishError(fault, reason, `${topic}: ${message}${advice === '' ? '' : `; ${advice}`}`)
  }

  private nameOf (code: number): string {
    return this.names.get(code) ?? String(code)
  }
}

/** What is sent in order. */
function lineOf ({ topic, key }: EventRecord): string {
  return `${topic}\0${key}`
}

/** What is at fault, where more than the reason cannot be known. */
function plainFault (reason: string): PublishFault {
  const fault = faultOf(reason)
  return fault === 'unclear' ? 'cluster' : fault
}
