import { EventEmitter, once } from 'node:events'
import kafka, { type Message, type Metadata, type WatermarkOffsets } from '@confluentinc/kafka-javascript'
import type { Test } from 'tap'
import { clientSettings, KAFKA_PATIENCE, promised } from './kafka-client.js'
import { until } from './until.js'

export interface KafkaRecord {
  key: string | null
  /** Null: a tombstone. */
  value: Buffer | null
  /** In the order of the record; a name may be there more than once. */
  headers: Array<[name: string, value: string]>
  partition: number
  offset: number
  /** Unix milliseconds. */
  timestamp: number
}

export interface KafkaConsumerOptions {
  /** More settings of librdkafka, such as those of TLS and SASL. */
  settings?: Record<string, string | number | boolean>
}

/** Reads all records of a topic, from the beginning and as they come. It is in no consumer group. */
export class KafkaConsumer {
  /** What was read so far. Those of one partition are in order. */
  readonly records: KafkaRecord[] = []
  private readonly arrivals = new EventEmitter()
  private readonly reading: Promise<void>
  private isClosed = false

  private constructor (
    private readonly client: InstanceType<typeof kafka.KafkaConsumer>,
    private readonly topic: string,
    private readonly partitions: readonly number[]
  ) {
    client.assign(partitions.map(partition => ({ topic, partition, offset: 0 })))
    this.reading = this.read()
  }

  /** Of a topic that exists. */
  static async start (
    brokers: string, topic: string, { settings = {} }: KafkaConsumerOptions = {}
  ): Promise<KafkaConsumer> {
    const client = new kafka.KafkaConsumer({
      ...clientSettings(brokers),
      // librdkafka wants a name, though none of the group's protocol is used.
      'group.id': 'mics-test',
      'enable.auto.commit': false,
      'fetch.wait.max.ms': 50,
      'fetch.error.backoff.ms': 50,
      ...settings,
    }, { 'auto.offset.reset': 'earliest' })
    // How long it waits for a record. Ending it takes as long.
    client.setDefaultConsumeTimeout(50)
    const { topics } = await promised<Metadata>(done => client.connect({ topic, timeout: KAFKA_PATIENCE }, done))
    const partitions = topics.find(({ name }) => name === topic)?.partitions.map(({ id }) => id) ?? []
    if (partitions.length === 0) {
      await promised(done => client.disconnect(done))
      throw new Error(`there is no topic ${topic} to read: create it first`)
    }
    return new KafkaConsumer(client, topic, partitions)
  }

  /** The first `count` records, when there are that many. */
  async until (count: number): Promise<KafkaRecord[]> {
    await until(`there are ${count} records in ${this.topic}`, () => this.records.length >= count)
    return this.records.slice(0, count)
  }

  /** All records that were stored when it was called. */
  async all (): Promise<KafkaRecord[]> {
    const ends = await Promise.all(this.partitions.map(async partition => {
      const { lowOffset, highOffset } = await this.bounds(partition)
      return { partition, lowOffset, highOffset }
    }))
    const isBefore = ({ partition, offset }: KafkaRecord): boolean =>
      ends.some(end => end.partition === partition && offset < end.highOffset)
    const count = ends.reduce((sum, { lowOffset, highOffset }) => sum + highOffset - lowOffset, 0)
    await until(`the ${count} records in ${this.topic} are read`, () => this.records.filter(isBefore).length >= count)
    return this.records.filter(isBefore)
  }

  /** Asks until the client knows: just after a broker's restart it may know no partitions of the topic. */
  private async bounds (partition: number): Promise<WatermarkOffsets> {
    let found: WatermarkOffsets | undefined
    await until(`the bounds of ${this.topic} are known`, async () => {
      try {
        found = await promised<WatermarkOffsets>(done =>
          this.client.queryWatermarkOffsets(this.topic, partition, KAFKA_PATIENCE, done))
      } catch (error) {
        if ((error as { code?: number }).code !== kafka.CODES.ERRORS.ERR__UNKNOWN_PARTITION) throw error
      }
      return found !== undefined
    })
    return found as unknown as WatermarkOffsets
  }

  /** Each record once, without an end. */
  async * [Symbol.asyncIterator] (): AsyncGenerator<KafkaRecord> {
    for (let next = 0; ; next++) {
      if (next === this.records.length) await once(this.arrivals, 'record')
      yield this.records[next]
    }
  }

  async close (): Promise<void> {
    this.isClosed = true
    await this.reading
    await promised(done => this.client.disconnect(done))
  }

  /**
   * By asking for records. The client's own loop would hold those that it has not handed on yet, and with them its
   * disconnect would wait for ever.
   */
  private async read (): Promise<void> {
    while (!this.isClosed) {
      // A broker that is away has no records, and that is no error of the test.
      const messages = await promised<Message[]>(done => this.client.consume(1000, done)).catch((): Message[] => [])
      this.records.push(...messages.map(toRecord))
      if (messages.length > 0) this.arrivals.emit('record')
    }
  }
}

/** A consumer that is closed when the test ends. */
export async function withKafkaConsumer (
  t: Test, brokers: string, topic: string, options?: KafkaConsumerOptions
): Promise<KafkaConsumer> {
  const consumer = await KafkaConsumer.start(brokers, topic, options)
  t.teardown(async () => await consumer.close())
  return consumer
}

function toRecord ({ key, value, headers = [], partition, offset, timestamp = 0 }: Message): KafkaRecord {
  return {
    key: key === null || key === undefined ? null : String(key),
    value,
    headers: headers.flatMap(header =>
      Object.entries(header).map(([name, content]): [string, string] => [name, String(content)])),
    partition,
    offset,
    timestamp,
  }
}
