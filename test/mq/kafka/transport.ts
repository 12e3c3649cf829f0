import { on } from 'node:events'
import type { Test } from 'tap'
import { loadConfig } from '../../../lib/config/load-config.js'
import type { EventRecord, EventTransport, PublishError } from '../../../lib/mq/event-transport.js'
import type { KafkaClient } from '../../../lib/mq/kafka/kafka-client.js'
import { KafkaEventTransport } from '../../../lib/mq/kafka/kafka-event-transport.js'

/** A transport that is configured by these variables, and closed when the test ends. */
export async function withTransport (
  t: Test, brokers: string, env: NodeJS.ProcessEnv = {}, loadClient?: () => Promise<KafkaClient>
): Promise<KafkaEventTransport> {
  const config = loadConfig({ NODE_ID: 'node-1', KAFKA_BROKERS: brokers, ...env }, { embedded: true })
  const transport = await KafkaEventTransport.open(config, loadClient)
  t.teardown(async () => await transport.close())
  return transport
}

export function record (topic: string, key: string, value: string | Buffer): EventRecord {
  return { topic, key, value: Buffer.from(value), headers: [] }
}

/** What became of a record: undefined, or why it failed. */
export async function sent (transport: EventTransport, record: EventRecord): Promise<PublishError | undefined> {
  return await new Promise(resolve => transport.send(record, resolve))
}

/** What became of records that are sent in one turn. */
export async function allSent (
  transport: EventTransport, records: readonly EventRecord[]
): Promise<Array<PublishError | undefined>> {
  return await Promise.all(records.map(async record => await sent(transport, record)))
}

/** Resolves when Kafka answers. */
export async function isUp (transport: KafkaEventTransport): Promise<void> {
  if (transport.isUp) return
  const ups = on(transport, 'up')
  await ups.next()
  await ups.return?.()
}

/** Numbers from 1, as texts. */
export function numbers (count: number): string[] {
  return Array.from({ length: count }, (_, index) => String(index + 1))
}
