import t, { type Test } from 'tap'
import {
  createEventConsumer, type EventConsumerOptions, type GatewayEvent,
} from '../../../sdk/hook-server/src/events.js'
import { promised, withKafkaClient } from '../../helpers/kafka-client.js'
import { withKafka } from '../../helpers/kafka-server.js'
import { Latch } from '../../helpers/pull-gateway.js'
import { until } from '../../helpers/until.js'
import { SECRET } from './caller.js'
import { published } from './published.js'

const kafka = await withKafka(t, { properties: { 'group.initial.rebalance.delay.ms': '0' } })

let groups = 0

function consumerOf (t: Test, options: Partial<EventConsumerOptions> & Pick<EventConsumerOptions, 'handler'>) {
  const consumer = createEventConsumer({
    brokers: kafka.brokers,
    groupId: `group-${++groups}`,
    tenantIds: ['t1', 't2'],
    secrets: SECRET,
    retryDelayMs: 1,
    logger: { warn () {}, error () {} },
    ...options,
    kafka: { 'fetch.wait.max.ms': 50, 'topic.metadata.refresh.interval.ms': 500, log_level: 0, ...options.kafka },
  } as EventConsumerOptions)
  t.teardown(async () => await consumer.stop())
  return consumer
}

async function publish (topic: string, ...events: Array<[key: string, value: Buffer]>) {
  await withKafkaClient(kafka.brokers, async client => {
    for (const [key, value] of events) client.produce(topic, 0, value, key, null, null, [])
    await promised<void>(done => client.flush(30_000, error => done(error)))
  })
}

async function topics (name: string, ...tenantIds: string[]): Promise<string> {
  for (const tenantId of tenantIds) await kafka.createTopic(`${name}-${tenantId}-event`)
  return `${name}-{tenant_id}-event`
}

for (const concurrency of [1, 16]) {
  t.test(`one tenant's event that nobody can handle stops no other tenant, with ${concurrency} at once`, async t => {
    const topic = await topics(`poison-${concurrency}`, 't1', 't2')
    let attempts = 0
    const handled: string[] = []
    const consumer = consumerOf(t, {
      topic,
      concurrency,
      handler: ({ tenantId, msgId }: GatewayEvent) => {
        if (tenantId === 't1') { attempts++; throw new Error('poison') }
        handled.push(msgId)
      },
    })
    await consumer.start()
    await publish(`poison-${concurrency}-t1-event`, ['a', published({ msgId: 'm1' })])
    await until('the first has failed', () => attempts > 6)
    for (const msgId of ['m1', 'm2', 'm3']) {
      await publish(`poison-${concurrency}-t2-event`, ['a', published({ tenantId: 't2', msgId })])
      await until(`${msgId} of the other is handled`, () => handled.includes(msgId))
    }
    t.same(handled, ['m1', 'm2', 'm3'])
  })
}

t.test('one tenant whose handler hangs stops no other tenant', async t => {
  const topic = await topics('hang', 't1', 't2')
  const handled: string[] = []
  const go = new Latch()
  const consumer = consumerOf(t, {
    topic,
    handler: async ({ tenantId, msgId }: GatewayEvent) => {
      handled.push(`${tenantId} ${msgId}`)
      if (tenantId === 't1') await go.opened
    },
  })
  await consumer.start()
  t.teardown(() => go.open())
  // Both are members of the group by then: a handler that hangs holds up a rebalance.
  await publish('hang-t2-event', ['a', published({ tenantId: 't2', msgId: 'm0' })])
  await until('the other has begun', () => handled.includes('t2 m0'))
  await publish('hang-t1-event', ['a', published({ msgId: 'm1' })])
  await until('the first hangs', () => handled.includes('t1 m1'))
  await publish('hang-t2-event', ['a', published({ tenantId: 't2', msgId: 'm1' })])
  await until('the other is handled', () => handled.includes('t2 m1'))
  go.open()
})

t.test('more tenants than there are clients are read all the same', async t => {
  const topic = await topics('many', 't1', 't20')
  const handled: string[] = []
  await consumerOf(t, {
    topic,
    tenantIds: Array.from({ length: 20 }, (_, i) => `t${i + 1}`),
    handler: ({ tenantId }: GatewayEvent) => { handled.push(tenantId) },
  }).start()
  await publish('many-t1-event', ['a', published()])
  await publish('many-t20-event', ['a', published({ tenantId: 't20' })])
  await until('both are handled', () => handled.length === 2)
  t.same(handled.sort(), ['t1', 't20'])
})

t.test('a topic that is not there yet stops no other, and is read when it is there', async t => {
  const topic = await topics('late', 't2')
  const handled: string[] = []
  const consumer = consumerOf(t, { topic, handler: ({ tenantId, msgId }: GatewayEvent) => { handled.push(`${tenantId} ${msgId}`) } })
  await consumer.start()
  await publish('late-t2-event', ['a', published({ tenantId: 't2', msgId: 'm1' })])
  await until('the topic that is there is read', () => handled.includes('t2 m1'))
  await topics('late', 't1')
  await publish('late-t1-event', ['a', published({ msgId: 'm1' })])
  await until('the late one is read', () => handled.includes('t1 m1'))
})

t.test('when the broker comes back, it goes on where it was', async t => {
  const topic = await topics('restart', 't1', 't2')
  const handled: string[] = []
  const consumer = consumerOf(t, { topic, handler: ({ msgId }: GatewayEvent) => { handled.push(msgId) } })
  await consumer.start()
  await publish('restart-t1-event', ['a', published({ msgId: 'm1' })])
  await until('it reads', () => handled.length === 1)
  await kafka.restart()
  await publish('restart-t1-event', ['a', published({ msgId: 'm2' })])
  await until('it reads again', () => handled.length === 2)
  t.same(handled, ['m1', 'm2'])
})
