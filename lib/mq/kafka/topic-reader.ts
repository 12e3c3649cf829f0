import { problemOf } from './client-problem.js'
import type { Callback, ClientSettings, KafkaMetadata } from './kafka-client.js'
import type { ConsumedRecord, KafkaConsumer, KafkaConsumerClient, TopicPlace, Watermarks } from './kafka-consumer.js'
import { loadKafkaClient } from './load-client.js'
import { OutageWatch } from './outage-watch.js'
import { KafkaUnreachableError, TopicMissingError, TopicReadError } from './reader-errors.js'

/** A record as it was read. */
export interface TopicRecord {
  readonly partition: number
  readonly offset: number
  /** Empty where it has none. */
  readonly key: string
  /** Null: a tombstone. */
  readonly value: Buffer | null
  /** When it was written, in Unix milliseconds. */
  readonly timestampMs: number
  readonly headers: ReadonlyArray<readonly [name: string, value: string]>
}

/** The records of a partition that there are: from `low` to before `high`. */
export interface PartitionBounds {
  readonly partition: number
  readonly low: number
  readonly high: number
}

/** The records of a partition to read: from `from` to before `to`; with `to` Infinity also those to come. */
export interface PartitionRange {
  readonly partition: number
  readonly from: number
  readonly to: number
}

export interface TopicReaderOptions {
  /** Settings of librdkafka, for the connection. */
  settings: ClientSettings
  topic: string
  /** Under which name offsets are committed. No member of a group is registered, and nothing is committed by itself. */
  group: string
  /** Milliseconds for Kafka to answer a question. Default: 10,000. */
  timeoutMs?: number
  /** Told once when Kafka goes away while records are read, which goes on by itself once it can. */
  onAway?: (why: string) => void
  /** Told once when it is back. */
  onBack?: () => void
}

/** Records that are handed on at once. */
const BATCH = 500

/** Milliseconds that a read waits for records; so long may ending take. */
const WAIT_MS = 200

/** Milliseconds for Kafka to answer whether it is there. */
const LOOK_TIMEOUT_MS = 1000

/** Kilobytes that may wait to be read. Default: 64 MB a partition. */
const PREFETCH_KILOBYTES = 16_384

/** Syslog's severity of an error; a larger one is less. */
const SEVERITY_ERROR = 3

/** Reads a topic, from offsets of the caller's choice, without being in a consumer group. */
export class TopicReader {
  private readonly timeoutMs: number
  private readonly consumer: KafkaConsumer
  private ends: TopicPlace[] = []
  private lastTrouble = ''
  /** While records are read. */
  private watch: OutageWatch | undefined

  private constructor (kafka: KafkaConsumerClient, private readonly options: TopicReaderOptions) {
    const { settings, group, timeoutMs = 10_000 } = options
    this.timeoutMs = timeoutMs
    this.consumer = new kafka.KafkaConsumer({
      ...settings,
      'group.id': group,
      'enable.auto.commit': false,
      'enable.auto.offset.store': false,
      'enable.partition.eof': true,
      'queued.max.messages.kbytes': PREFETCH_KILOBYTES,
    }, {
      // Records that were deleted while they were about to be read are passed over.
      'auto.offset.reset': 'earliest',
    })
    this.consumer.setDefaultConsumeTimeout(WAIT_MS)
    this.consumer.on('partition.eof', place => this.ends.push(place))
    this.consumer.on('event.log', ({ severity, message }) => {
      if (severity <= SEVERITY_ERROR) this.trouble(message)
    })
  }

  /**
   * @throws {KafkaClientError} when the client is not installed, or cannot be loaded.
   * @throws {KafkaUnreachableError} when Kafka does not answer in time.
   */
  static async open (options: TopicReaderOptions): Promise<TopicReader> {
    const client: unknown = await loadKafkaClient()
    const reader = new TopicReader(client as KafkaConsumerClient, options)
    const { topic, settings } = options
    try {
      await promised(done => reader.consumer.connect({ topic, allTopics: false, timeout: reader.timeoutMs }, done))
    } catch (error) {
      await reader.close()
      throw new KafkaUnreachableError(String(settings['bootstrap.servers']), reader.lastTrouble, error)
    }
    return reader
  }

  /**
   * The partitions, and the records in them now.
   * @throws {TopicMissingError} when there is no such topic.
   */
  async bounds (): Promise<PartitionBounds[]> {
    const { consumer, timeoutMs, options: { topic } } = this
    const partitions = await this.partitions(timeoutMs)
    if (partitions.length === 0) throw new TopicMissingError(topic)
    return await Promise.all(partitions.map(async (_, partition) => {
      const { lowOffset, highOffset } = await this.ask<Watermarks>('read the bounds of', done =>
        consumer.queryWatermarkOffsets(topic, partition, timeoutMs, done))
      return { partition, low: lowOffset, high: highOffset }
    }))
  }

  /** For each partition the offset of its first record that was written at this time (Unix milliseconds) or later. */
  async offsetsSince (bounds: readonly PartitionBounds[], timeMs: number): Promise<Map<number, number>> {
    const { topic } = this.options
    const times = bounds.map(({ partition }) => ({ topic, partition, offset: timeMs }))
    const found = await this.ask<TopicPlace[]>('look up a time in', done =>
      this.consumer.offsetsForTimes(times, this.timeoutMs, done))
    const offsets = new Map(found.map(({ partition, offset }) => [partition, offset]))
    return new Map(bounds.map(({ partition, high }) => {
      const offset = offsets.get(partition) ?? -1
      return [partition, offset < 0 ? high : offset]
    }))
  }

  /** What was committed in the group's name, for the partitions where something was. */
  async committed (bounds: readonly PartitionBounds[]): Promise<Map<number, number>> {
    const { topic, group } = this.options
    const partitions = bounds.map(({ partition }) => ({ topic, partition }))
    const found = await this.ask<Array<Partial<TopicPlace>>>(`look up how far the group ${group} is in`, done =>
      this.consumer.committed(partitions, this.timeoutMs, done))
    return new Map(found.flatMap(({ partition, offset }): Array<[number, number]> =>
      partition === undefined || offset === undefined || offset < 0 ? [] : [[partition, offset]]))
  }

  /** Commits in the group's name: for each partition the offset to go on at. Resolves when it is stored. */
  async commit (offsets: ReadonlyMap<number, number>): Promise<void> {
    const { topic, group } = this.options
    const places = Array.from(offsets, ([partition, offset]) => ({ topic, partition, offset }))
    await this.ask(`remember how far the group ${group} is in`, done => this.consumer.commitCb(places, done))
  }

  /**
   * The records of these ranges, some at a time, those of one partition in order. Ends with the last, or soon after
   * `signal`. While Kafka is away it waits.
   */
  async * read (ranges: readonly PartitionRange[], signal?: AbortSignal): AsyncGenerator<TopicRecord[]> {
    const { topic } = this.options
    const rest = new Map(ranges.filter(({ from, to }) => from < to).map(({ partition, to }) => [partition, to]))
    this.consumer.assign(ranges.filter(({ partition }) => rest.has(partition))
      .map(({ partition, from }) => ({ topic, partition, offset: from })))
    const watch = this.watch = new OutageWatch({
      look: async () => await this.isThere(),
      onAway: () => this.options.onAway?.(this.lastTrouble),
      onBack: () => this.options.onBack?.(),
    })
    try {
      while (rest.size > 0 && signal?.aborted !== true) {
        const { records, ends } = await this.consume()
        const wanted = records.filter(({ partition, offset }) => offset < (rest.get(partition) ?? -Infinity))
        if (wanted.length > 0) yield wanted.map(toRecord)
        for (const { partition, offset } of records) finish(rest, partition, offset + 1)
        for (const { partition, offset } of ends) finish(rest, partition, offset)
      }
    } finally {
      watch.stop()
      this.watch = undefined
      this.consumer.unassign()
    }
  }

  async close (): Promise<void> {
    await promised(done => this.consumer.disconnect(done))
  }

  private async consume (): Promise<{ records: ConsumedRecord[], ends: TopicPlace[] }> {
    const records = await this.ask<ConsumedRecord[]>('read', done => this.consumer.consume(BATCH, done))
    const { ends } = this
    this.ends = []
    return { records, ends }
  }

  private async partitions (timeout: number): Promise<KafkaMetadata['topics'][number]['partitions']> {
    const { topic } = this.options
    const { topics } = await this.ask<KafkaMetadata>('look for', done =>
      this.consumer.getMetadata({ topic, allTopics: false, timeout }, done))
    return topics.find(({ name }) => name === topic)?.partitions ?? []
  }

  /** Whether Kafka answers, and a broker leads each partition. */
  private async isThere (): Promise<boolean> {
    try {
      return (await this.partitions(LOOK_TIMEOUT_MS)).every(({ leader }) => leader >= 0)
    } catch {
      return false // Why is in the client's log.
    }
  }

  private async ask<T> (doing: string, call: (done: Callback<T>) => unknown): Promise<T> {
    try {
      return await promised(call)
    } catch (error) {
      throw new TopicReadError(this.options.topic, doing, error)
    }
  }

  private trouble (message: string): void {
    this.lastTrouble = problemOf(message)
    this.watch?.trouble()
  }
}

/** Everything before `offset` of the partition is read. */
function finish (rest: Map<number, number>, partition: number, offset: number): void {
  const to = rest.get(partition)
  if (to !== undefined && offset >= to) rest.delete(partition)
}

function toRecord ({ partition, offset, key, value, timestamp = 0, headers = [] }: ConsumedRecord): TopicRecord {
  return {
    partition,
    offset,
    key: String(key ?? ''),
    value,
    timestampMs: timestamp,
    headers: headers.flatMap(header =>
      Object.entries(header).map(([name, content]): [string, string] => [name, String(content)])),
  }
}

async function promised<T> (call: (done: Callback<T>) => unknown): Promise<T> {
  return await new Promise((resolve, reject) => {
    call((error, result) => {
      if (error === null || error === undefined) resolve(result)
      else reject(error)
    })
  })
}
