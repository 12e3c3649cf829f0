import type { Test } from 'tap'
import type { TestGateway } from './gateway.js'
import { KafkaConsumer } from './kafka-consumer.js'
import type { KafkaServer } from './kafka-server.js'
import { startPatientGateway } from './patient-gateway.js'

export interface KafkaGateway extends TestGateway {
  /** Begins the names of this gateway's topics: `<prefix>-<tenant>-event`, and `-dlq` behind it. */
  prefix: string
  /** Reads a tenant's topic of events, or with `-dlq` that of its dead letters, until the test ends. */
  consume: (tenantId: string, suffix?: '' | '-dlq') => Promise<KafkaConsumer>
}

let gateways = 0

/**
 * A gateway whose events go to topics that no other test uses.
 * @param create tenants whose topics of events are there
 */
export async function startKafkaGateway (
  t: Test, kafka: KafkaServer, env: NodeJS.ProcessEnv = {}, create = ['t1', 't2']
): Promise<KafkaGateway> {
  const prefix = `run${++gateways}`
  for (const tenantId of create) await kafka.createTopic(`${prefix}-${tenantId}-event`, { partitions: 3 })
  const gateway = await startPatientGateway(t, {
    KAFKA_BROKERS: kafka.brokers,
    KAFKA_EVENT_TOPIC: `${prefix}-{tenant_id}-event`,
    KAFKA_DLQ_TOPIC: `${prefix}-{tenant_id}-event-dlq`,
    ...env,
  })
  const consume = async (tenantId: string, suffix = ''): Promise<KafkaConsumer> => {
    const consumer = await KafkaConsumer.start(kafka.brokers, `${prefix}-${tenantId}-event${suffix}`)
    t.teardown(async () => await consumer.close())
    return consumer
  }
  return { ...gateway, prefix, consume }
}
