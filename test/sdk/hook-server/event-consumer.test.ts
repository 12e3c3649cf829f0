import t, { type Test } from 'tap'
import {
  createEventConsumer, type EventConsumerOptions, type GatewayEvent,
} from '../../../sdk/hook-server/src/events.js'
import { SECRET as GATEWAY_SECRET } from '../../helpers/gateway.js'
import { body, MessageType } from '../../helpers/client.js'
import { promised, withKafkaClient } from '../../helpers/kafka-client.js'
import { startKafkaGateway } from '../../helpers/kafka-gateway.js'
import { withKafka } from '../../helpers/kafka-server.js'
import { Latch } from '../../helpers/pull-gateway.js'
import { until } from '../../helpers/until.js'
import { SECRET } from './caller.js'
import { published } from './published.js'

const kafka = await withKafka(t, { properties: { 'group.initial.rebalance.delay.ms': '0' } })

type Published = [key: string, value: Buffer, headers?: Record<string, string>]

let groups = 0

/** Consumers that rejoin and fetch at once. They are stopped when the test ends. */
function consumerOf (t: Test, options: Partial<EventConsumerOptions> & Pick<EventConsumerOptions, 'handler'>) {
  const consumer = createEventConsumer({
    brokers: kafka.brokers,
    groupId: `group-${++groups}`,
    tenantIds: 't1',
    secrets: [GATEWAY_SECRET, SECRET],
    retryDelayMs: 1,
    logger: { warn () {}, error () {} },
    ...options,
    kafka: { 'fetch.wait.max.ms': 50, log_level: 0, ...options.kafka },
  } as EventConsumerOptions)
  t.teardown(async () => await consumer.stop())
  return consumer
}

/** A topic of its own that holds these, in its one partition. */
async function topicWith (name: string, ...records: Published[]) {
  await kafka.createTopic(`${name}-t1-event`)
  await publish(`${name}-t1-event`, ...records)
  return { topic: `${name}-{tenant_id}-event` }
}

async function publish (topic: string, ...records: Published[]) {
  await withKafkaClient(kafka.brokers, async client => {
    for (const [key, value, headers = {}] of records) {
      const list = Object.entries(headers).map(([name, content]) => ({ [name]: content }))
      client.produce(topic, 0, value, key, null, null, list)
    }
    await promised<void>(done => client.flush(30_000, error => done(error)))
  })
}

// Kafka's client takes half a minute to give up: the other tests need not wait for it.
const complaints: string[] = []
const unreachable = consumerOf(t, {
  brokers: ['127.0.0.1:1'],
  handler: () => {},
  logger: { error () {}, warn: (_fields, message) => { complaints.push(message) } },
}).start().then(() => new Error('started'), (error: Error) => error)

t.test('it reads what the gateway tells: who comes and goes, and each message in its order', async t => {
  const gateway = await startKafkaGateway(t, kafka)
  const events: GatewayEvent[] = []
  const consumer = consumerOf(t, { topic: `${gateway.prefix}-{tenant_id}-event`, handler: event => { events.push(event) } })
  await consumer.start()
  gateway.hooks.groups.set('g1', ['alice', 'bob'])
  const [alice, bob] = [await gateway.connect('alice'), await gateway.connect('bob')]
  for (let i = 0; i < 20; i++) {
    await alice.sendAndAck({ msgId: `m${i}`, toUserId: 'bob', msgBody: body(`${i}`) })
    await alice.sendAndAck({ msgId: `g${i}`, msgType: MessageType.GROUP_CHAT, groupId: 'g1', msgBody: body(`${i}`) })
  }
  await bob.close()
  await until('all are handled', () => events.length === 43)
  const ids = (type: string): string[] => events.filter(event => event.type === type).map(({ msgId }) => msgId)
  t.same(ids('SINGLE_CHAT_MSG'), Array.from({ length: 20 }, (_, i) => `m${i}`))
  t.same(ids('GROUP_CHAT_MSG'), Array.from({ length: 20 }, (_, i) => `g${i}`))
  const { traceId } = await alice.connectAck()
  t.match(events.find(({ msgId }) => msgId === 'g3'), {
    tenantId: 't1', userId: 'alice', deviceId: 'd1', groupId: 'g1', traceId, message: { text: '3', type: 'GROUP_CHAT' },
  })
  const connections = events.filter(({ type }) => type.startsWith('CONNECT'))
  t.same(connections.filter(({ userId }) => userId === 'bob').map(({ type }) => type), ['CONNECT_ONLINE', 'CONNECT_OFFLINE'])
  t.match(consumer.metrics(), /outcome="handled"} 43$/m)
})

t.test('an event is committed when its handler is done, and not before', async t => {
  const { topic } = await topicWith('commit', ['a', published({ msgId: 'm1' })], ['a', published({ msgId: 'm2' })])
  const groupId = 'commit'
  const go = new Latch()
  const first: string[] = []
  const consumer = consumerOf(t, {
    topic,
    groupId,
    handler: async ({ msgId }) => {
      first.push(msgId)
      if (msgId === 'm2') await go.opened
    },
  })
  await consumer.start()
  await until('the second is at work', () => first.includes('m2'))
  const stopping = consumer.stop()
  go.open()
  await stopping
  await publish('commit-t1-event', ['a', published({ msgId: 'm3' })])

  const second: string[] = []
  await consumerOf(t, { topic, groupId, handler: ({ msgId }) => { second.push(msgId) } }).start()
  await until('the next consumer has read', () => second.length > 0)
  t.same(second, ['m3'], 'what was at work when it was told to stop was finished and committed')
})

t.test('what its handler could not do comes again, in order, to the same consumer or to the next', async t => {
  const events = ['m1', 'm2', 'm3'].map((msgId): [string, Buffer] => ['a', published({ msgId })])
  const { topic } = await topicWith('again', ...events)
  const groupId = 'again'
  const handled: string[] = []
  let attempts = 0
  const consumer = consumerOf(t, {
    topic,
    groupId,
    maxAttempts: 2,
    handler: ({ msgId }) => {
      if (msgId === 'm2' && ++attempts <= 5) throw new Error('not yet')
      handled.push(msgId)
      if (msgId === 'm3') throw new Error('never')
    },
  })
  await consumer.start()
  await until('the third is tried', () => handled.includes('m3'))
  t.same(handled.slice(0, 3), ['m1', 'm2', 'm3'])
  t.equal(attempts, 6)
  await consumer.stop()
  const next: string[] = []
  await consumerOf(t, { topic, groupId, handler: ({ msgId }) => { next.push(msgId) } }).start()
  await until('the next has it', () => next.includes('m3'))
  t.same(next, ['m3'], 'only what was not done')
})

t.test('dead letters are read where that is asked for, and say what they are', async t => {
  const { topic } = await topicWith('dead', ['a', published({ msgId: 'm1' })])
  await kafka.createTopic('dead-t1-event-dlq')
  await publish('dead-t1-event-dlq',
    ['a', published({ msgId: 'm2' }), { 'mics-dlq-reason': 'MSG_SIZE_TOO_LARGE', 'mics-dlq-attempts': '3' }])
  const events: GatewayEvent[] = []
  const handler = (event: GatewayEvent): void => { events.push(event) }
  await consumerOf(t, { topic, deadLetterTopic: 'dead-{tenant_id}-event-dlq', deadLetters: true, handler }).start()
  await until('both are handled', () => events.length === 2)
  events.sort((a, b) => a.msgId < b.msgId ? -1 : 1)
  t.match(events, [{ isDeadLetter: false }, { isDeadLetter: true, deadLetter: { reason: 'MSG_SIZE_TOO_LARGE', attempts: 3 } }])
})

t.test('what others put into the topic is reported and never handled', async t => {
  const { topic } = await topicWith('forged',
    ['a', published({ msgId: 'forged', secret: 'guessed' })], ['a', Buffer.from('hello')], ['a', published({ msgId: 'm1' })])
  const handled: string[] = []
  const invalid: string[] = []
  await consumerOf(t, {
    topic,
    handler: ({ msgId }) => { handled.push(msgId) },
    onInvalid: ({ reason }, { offset }) => { invalid.push(`${offset} ${reason}`) },
  }).start()
  await until('the genuine one is handled', () => handled.length === 1)
  t.same(handled, ['m1'])
  t.match(invalid, ['0 wrong_signature', /^1 /])
})

t.test('two consumers of a group share the events, and one takes over when the other stops', async t => {
  await kafka.createTopic('shared-t1-event', { partitions: 1 })
  const handled: string[] = []
  const options = { topic: 'shared-{tenant_id}-event', groupId: 'shared', handler: ({ msgId }: GatewayEvent) => { handled.push(msgId) } }
  const [one, other] = [consumerOf(t, options), consumerOf(t, options)]
  await one.start()
  await publish('shared-t1-event', ['a', published({ msgId: 'm1' })])
  await until('the first is handled', () => handled.length === 1)
  await other.start()
  await one.stop()
  await publish('shared-t1-event', ['a', published({ msgId: 'm2' })])
  await until('the second is handled', () => handled.length === 2)
  t.same(handled, ['m1', 'm2'])
})

t.test('brokers that cannot be reached are named, by the error and in the log, and it can be stopped', async t => {
  t.match((await unreachable).message, /brokers 127\.0\.0\.1:1 cannot be reached/)
  t.match(complaints[0], /Kafka's client: /)
})

t.test('a wrong option is named when the consumer is made', async t => {
  const good = { brokers: 'localhost:9092', groupId: 'g', tenantIds: 't1', secrets: 's', handler: () => {} }
  const cases: Array<[object, RegExp]> = [
    [{ secrets: undefined }, /secrets are missing/],
    [{ handler: undefined }, /handler must be a function/],
    [{ tenantIds: [] }, /tenantIds must be/],
    [{ brokers: '' }, /brokers must be/],
    [{ groupId: '' }, /groupId must be/],
    [{ topic: 'events' }, /must hold \{tenant_id\} once/],
    [{ concurrency: 0 }, /concurrency must be a whole number/],
  ]
  for (const [wrong, message] of cases) t.throws(() => createEventConsumer({ ...good, ...wrong }), { name: 'TypeError', message })
})
