import { EventEmitter } from 'node:events'
import kafka from '@confluentinc/kafka-javascript'
import type {
  KafkaAdmin, KafkaClient, KafkaError, KafkaMetadata, KafkaProducer, MetadataOptions
} from '../../../lib/mq/kafka/kafka-client.js'

type Done<T> = (error: KafkaError | null | undefined, result: T) => void

/** Stands in for the Kafka client where a fault cannot be had from a real Kafka at will. Any topic is there. */
export class FakeKafka {
  readonly producers: FakeProducer[] = []
  /** What the next producers fail to connect with. */
  connectError: Error | undefined

  /** As the transport loads it. */
  readonly load = async (): Promise<KafkaClient> => {
    const onConnect = (producer: FakeProducer): Error | undefined => {
      if (this.connectError !== undefined) return this.connectError
      this.producers.push(producer)
    }
    return {
      CODES: kafka.CODES,
      Producer: class extends FakeProducer {
        constructor () {
          super(onConnect)
        }
      },
      AdminClient: { create: (): KafkaAdmin => { throw new Error('no topic is missing') } },
      KafkaConsumer: class { constructor () { throw new Error('nothing is consumed') } },
    } as unknown as KafkaClient
  }

  get latest (): FakeProducer {
    return this.producers[this.producers.length - 1]
  }
}

export class FakeProducer extends EventEmitter implements KafkaProducer {
  /** Values that were produced, and the number that goes with each in its report. */
  readonly produced = new Map<string, number>()
  /** Names of the errors that values are refused with at once. */
  readonly refusals = new Map<string, string>()
  isConnected = false
  /** Whether questions go unanswered. */
  isSilent = false

  constructor (private readonly onConnect: (producer: FakeProducer) => Error | undefined) {
    super()
  }

  connect (_: MetadataOptions, done: Done<unknown>): void {
    setImmediate(() => {
      const error = this.onConnect(this)
      this.isConnected = error === undefined
      done(error as KafkaError | undefined, {})
    })
  }

  disconnect (_: number, done: Done<unknown>): void {
    this.isConnected = false
    setImmediate(() => done(null, {}))
  }

  produce (...[, , value, , , opaque]: Parameters<KafkaProducer['produce']>): void {
    const refusal = this.refusals.get(String(value))
    if (refusal !== undefined) throw kafkaError(refusal)
    this.produced.set(String(value), opaque)
  }

  getMetadata ({ topic }: MetadataOptions, done: Done<KafkaMetadata>): void {
    const topics = topic === undefined ? [] : [{ name: topic, partitions: [{ leader: 1 }] }]
    setImmediate(() => done(this.isSilent ? kafkaError('_TIMED_OUT') : null, { topics }))
  }

  setPollInBackground (): void {}

  /** Says what became of a value that was produced: it was stored, or failed with an error of this name. */
  report (value: string, error?: string): void {
    this.emit('delivery-report', error === undefined ? null : kafkaError(error), { opaque: this.produced.get(value) })
  }
}

function kafkaError (name: string): KafkaError {
  const code = kafka.CODES.ERRORS[`ERR_${name}` as keyof typeof kafka.CODES.ERRORS]
  return Object.assign(new Error(name), { code: Number(code) })
}
