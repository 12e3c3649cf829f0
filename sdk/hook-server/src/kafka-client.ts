/*
 * As much of @confluentinc/kafka-javascript as the consumer uses. It is an optional peer: this package is built, and
 * type-checked by those who use it, without it.
 */
export interface KafkaClient {
  KafkaJS: {
    Kafka: new (config: { kafkaJS: { brokers: string[], logLevel: number, logger: KafkaClientLogger } }) => {
      consumer (config: Record<string, unknown>): KafkaConsumerClient
    }
    logLevel: { ERROR: number }
  }
}

export interface KafkaConsumerClient {
  connect (): Promise<void>
  disconnect (): Promise<void>
  subscribe (subscription: { topics: string[] }): Promise<void>
  run (config: {
    eachBatchAutoResolve: boolean
    partitionsConsumedConcurrently: number
    eachBatch: (payload: KafkaBatchPayload) => Promise<void>
  }): Promise<void>
  commitOffsets (offsets: Array<{ topic: string, partition: number, offset: string }>): Promise<void>
}

export interface KafkaBatchPayload {
  batch: { topic: string, partition: number, messages: KafkaMessage[] }
  isStale (): boolean
  resolveOffset (offset: string): void
}

interface KafkaMessage {
  key?: Buffer | string | null
  value: Buffer | string | null
  headers?: Record<string, Buffer | string | Array<Buffer | string> | undefined>
  offset: string
}

export interface KafkaClientLogger {
  error (message: string): void
  warn (message: string): void
  info (message: string): void
  debug (message: string): void
  namespace (): KafkaClientLogger
  setLogLevel (): void
}

const packageName = '@confluentinc/kafka-javascript'

/** A native module: loaded only by who reads events from Kafka. */
export async function loadKafkaClient (): Promise<KafkaClient> {
  try {
    return (await import(packageName) as { default: KafkaClient }).default
  } catch (cause) {
    throw new Error(`events are read with ${packageName}, which is not installed or cannot be loaded: npm install ${packageName}`, { cause })
  }
}
