import type { Callback, ClientSettings, KafkaMetadata, MetadataOptions } from './kafka-client.js'

/** What is used of the client to read topics; see kafka-client.ts. */
export interface KafkaConsumerClient {
  readonly KafkaConsumer: new (settings: ClientSettings, topicSettings: ClientSettings) => KafkaConsumer
}

export interface KafkaConsumer {
  connect: (options: MetadataOptions, done: Callback<unknown>) => unknown
  disconnect: (done: Callback<unknown>) => unknown
  getMetadata: (options: MetadataOptions, done: Callback<KafkaMetadata>) => unknown
  queryWatermarkOffsets: (topic: string, partition: number, timeoutMs: number, done: Callback<Watermarks>) => unknown
  /** Each `offset` asks for a time, in Unix milliseconds, and is answered by an offset; negative: all are older. */
  offsetsForTimes: (places: TopicPlace[], timeoutMs: number, done: Callback<TopicPlace[]>) => unknown
  /** What a group has committed. No `offset`: nothing. */
  committed: (
    partitions: Array<Omit<TopicPlace, 'offset'>>, timeoutMs: number, done: Callback<Array<Partial<TopicPlace>>>
  ) => unknown
  /** Missing in the package's types. Other than `commit` it tells when it is done, and it does not block. */
  commitCb: (places: TopicPlace[], done: Callback<unknown>) => unknown
  assign: (places: TopicPlace[]) => unknown
  unassign: () => unknown
  /** Up to `count` records. `partition.eof` comes before the callback. */
  consume: (count: number, done: Callback<ConsumedRecord[]>) => unknown
  setDefaultConsumeTimeout: (timeoutMs: number) => unknown
  on: OnEvent<'partition.eof', (place: TopicPlace) => void> &
    /** A line of librdkafka's log, with a severity as in syslog. */
    OnEvent<'event.log', (line: { severity: number, message: string }) => void>
}

type OnEvent<Name extends string, Listener> = (event: Name, listener: Listener) => unknown

export interface TopicPlace {
  topic: string
  partition: number
  offset: number
}

export interface Watermarks {
  /** The first offset that there is, and the one that the next record will have. */
  lowOffset: number
  highOffset: number
}

export interface ConsumedRecord {
  readonly partition: number
  readonly offset: number
  readonly key?: Buffer | string | null
  readonly value: Buffer | null
  /** Unix milliseconds. */
  readonly timestamp?: number
  readonly headers?: ReadonlyArray<Readonly<Record<string, Buffer | string>>>
}
