import type KafkaPackage from '@confluentinc/kafka-javascript'
import type { KafkaJS } from '@confluentinc/kafka-javascript'

export type KafkaClient = typeof KafkaPackage
export type KafkaConsumerClient = KafkaJS.Consumer
export type KafkaClientLogger = KafkaJS.Logger
export type KafkaBatchPayload = KafkaJS.EachBatchPayload

const packageName = '@confluentinc/kafka-javascript'

/** A native module and an optional peer: loaded only by who reads events from Kafka. */
export async function loadKafkaClient (): Promise<KafkaClient> {
  try {
    return (await import(packageName) as { default: KafkaClient }).default
  } catch (cause) {
    throw new Error(`events are read with ${packageName}, which is not installed or cannot be loaded: npm install ${packageName}`, { cause })
  }
}
