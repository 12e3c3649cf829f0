import t, { type Test } from 'tap'
import { EventType } from '../../lib/gen/mics/hook/v1/hook_pb.js'
import { AckStatus, MessageType } from '../helpers/client.js'
import { decodeEvent, firsts, msgIds } from '../helpers/events.js'
import { startKafkaGateway, type KafkaGateway } from '../helpers/kafka-gateway.js'
import { KafkaServer } from '../helpers/kafka-server.js'
import { until } from '../helpers/until.js'

// What a Kafka that is away for long does, from the clients' messages to a consumer's records.

const kafka = await KafkaServer.start()
t.teardown(async () => await kafka.close())

const PEOPLE = ['bob', 'carol', 'dave', 'erin']

/** A gateway, and alice, who writes to all of these people by turns. */
async function conversations (t: Test, env?: NodeJS.ProcessEnv) {
  const gateway = await startKafkaGateway(t, kafka, env, ['t1'])
  const topic = await gateway.consume('t1')
  const alice = await gateway.connect('alice')
  const sent = new Map(PEOPLE.map((name): [string, string[]] => [name, []]))
  let count = 0
  return {
    ...gateway,
    topic,
    alice,
    /** Without waiting for anything. */
    write: (rounds: number): void => {
      for (let round = 0; round < rounds; round++) {
        for (const name of PEOPLE) sent.get(name)?.push(alice.send({ toUserId: name, msgId: `m${++count}` }))
      }
    },
    /** Each is answered SENT. */
    answered: async (): Promise<void> => {
      const acks = await alice.waitAcks(count)
      t.ok(acks.every(({ status }) => status === AckStatus.SENT))
    },
    /** All is in the topic, in order, and nothing anywhere else. */
    allIsThere: async (): Promise<void> => {
      await nothingPending(gateway)
      const records = await topic.all()
      for (const name of PEOPLE) {
        t.strictSame(firsts(msgIds(records, EventType.SINGLE_CHAT_MSG, `alice:${name}`)), sent.get(name), name)
      }
      t.equal(await gateway.metric('mics_events_dropped_total'), 0)
      t.equal(await gateway.metric('mics_events_dead_lettered_total'), 0)
    },
  }
}

async function nothingPending ({ metric }: Pick<KafkaGateway, 'metric'>): Promise<void> {
  await until('all is published', async () => await metric('mics_events_pending', { tenant: 't1' }) === 0)
}

t.test('events of a conversation are in order after a broker that was killed', async t => {
  const { write, answered, allIsThere, topic } = await conversations(t)
  write(50)
  await answered()
  await topic.until(200)
  write(50)
  await kafka.kill()
  write(50)
  await answered()
  await kafka.restart()
  write(50)
  await answered()
  await allIsThere()
})

t.test('an outage longer than any attempt loses nothing, makes no dead letters, and order holds', async t => {
  const { write, answered, allIsThere, metric } = await conversations(t, {
    KAFKA_DELIVERY_TIMEOUT_MS: '1000', KAFKA_MAX_ATTEMPTS: '1',
  })
  const givenUp = async (count: number): Promise<void> => await until(`${count} attempts ended`, async () =>
    await metric('mics_kafka_record_failures_total', { fault: 'cluster' }) >= count)
  write(25)
  await answered()
  write(25)
  await kafka.kill()
  write(50)
  await answered()
  await givenUp(1)
  const before = await metric('mics_kafka_record_failures_total', { fault: 'cluster' })
  await givenUp(before + 2)
  t.equal(await metric('mics_kafka_up'), 0)
  write(50)
  await answered()
  t.ok(await metric('mics_events_pending', { tenant: 't1' }) >= 400, 'all of it waits')
  await kafka.restart()
  await allIsThere()
})

t.test('where the queue of events is full the buffer has what is for those who are away, and the ack says so', async t => {
  const gateway = await startKafkaGateway(t, kafka, {
    KAFKA_MAX_PENDING_PER_TENANT: '10', GROUP_OFFLINE_BUFFER_MAX_USERS: '3',
  }, ['t1'])
  const { connect, hooks, consume, metric } = gateway
  const away = Array.from({ length: 15 }, (_, i) => `away${i}`)
  hooks.config = { offlineUseHookPull: true }
  hooks.groups.set('g', away)
  const topic = await consume('t1')
  const alice = await connect('alice')
  await topic.until(1)
  await nothingPending(gateway)
  kafka.pause()
  t.teardown(() => kafka.resume())
  const toGroup = await alice.sendAndAck({ msgType: MessageType.GROUP_CHAT, groupId: 'g', msgId: 'group' })
  t.match(toGroup, { status: AckStatus.SENT, partialDelivery: true })
  t.match(toGroup, { offlineNotifiedUsers: 10, offlineBufferedUsers: 3, offlineSkippedUsers: 2 })
  const toOne = await alice.sendAndAck({ toUserId: 'away14', msgId: 'single' })
  t.match(toOne, { status: AckStatus.SENT, partialDelivery: false })
  t.match(toOne, { offlineNotifiedUsers: 0, offlineBufferedUsers: 1, offlineSkippedUsers: 0 })
  for (const [user, msgId] of [['away10', 'group'], ['away14', 'single']]) {
    const client = await connect(user)
    t.match(await client.waitMessages(1), [{ msgId }])
  }
  t.ok(await metric('mics_events_dropped_total', { tenant: 't1', reason: 'queue_full' }) >= 6)

  kafka.resume()
  await nothingPending(gateway)
  const events = (await topic.all()).map(decodeEvent)
  const announced = events.filter(({ eventType }) => eventType === EventType.OFFLINE_MESSAGE)
  t.strictSame(firsts(announced.map(({ msgId, toUserId }) => `${msgId} ${toUserId}`)),
    away.slice(0, 10).map(user => `group ${user}`), 'for the others nobody is told to keep it')
})
