/**
 * What is used of `@confluentinc/kafka-javascript`, in types of our own: it is an optional dependency, and where it is
 * not installed everything else must compile all the same. A test holds them to the package's own.
 */
export interface KafkaClient {
  readonly Producer: new (settings: ClientSettings) => KafkaProducer
  readonly AdminClient: { create: (settings: ClientSettings) => KafkaAdmin }
  /** librdkafka's error codes by name, such as `ERR__MSG_TIMED_OUT`. */
  readonly CODES: { readonly ERRORS: Readonly<Record<string, number>> }
}

/** Names and values as librdkafka's CONFIGURATION.md has them. */
export type ClientSettings = Record<string, string | number | boolean>

/** Thrown, and passed to callbacks; an Error. */
export interface KafkaError {
  /** One of CODES.ERRORS. */
  readonly code: number
  readonly message: string
}

export type Callback<T> = (error: KafkaError | null | undefined, result: T) => void

export interface KafkaProducer {
  connect: (options: MetadataOptions, done: Callback<unknown>) => unknown
  /** @param timeoutMs for what is still on its way */
  disconnect: (timeoutMs: number, done: Callback<unknown>) => unknown
  /**
   * @param partition null: by the key
   * @param opaque comes back in the delivery report
   * @throws {KafkaError} what librdkafka refuses at once.
   */
  produce: (
    topic: string, partition: number | null, value: Buffer, key: string, timestampMs: number | null, opaque: number,
    headers: Array<Record<string, string>>
  ) => unknown
  getMetadata: (options: MetadataOptions, done: Callback<KafkaMetadata>) => unknown
  setPollInBackground: (set: boolean) => void
  on: OnEvent<'delivery-report', (error: KafkaError | null, report: { opaque?: number }) => void> &
    /** The text of an error only: what went wrong with a broker, or with all. */
    OnEvent<'event.error', (error: { message: string }) => void> &
    /** A line of librdkafka's log, with a severity as in syslog. */
    OnEvent<'event.log', (line: { severity: number, message: string }) => void>
}

type OnEvent<Name extends string, Listener> = (event: Name, listener: Listener) => unknown

export interface MetadataOptions {
  topic?: string
  allTopics?: boolean
  /** Milliseconds. */
  timeout?: number
}

export interface KafkaMetadata {
  readonly topics: ReadonlyArray<{ readonly name: string, readonly partitions: readonly PartitionMetadata[] }>
}

export interface PartitionMetadata {
  /** The broker's id; negative: there is none. */
  readonly leader: number
}

export interface KafkaAdmin {
  createTopic: (topic: NewTopic, timeoutMs: number, done: (error?: KafkaError) => void) => void
  /** Waits until its threads have ended. */
  disconnect: () => void
}

export interface NewTopic {
  topic: string
  /** -1: as many as the brokers make by default. */
  num_partitions: number
  replication_factor: number
  config: Record<string, string>
}
