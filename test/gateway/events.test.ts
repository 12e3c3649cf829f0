import { fromBinary } from '@bufbuild/protobuf'
import t, { type Test } from 'tap'
import { EventType } from '../../lib/gen/mics/hook/v1/hook_pb.js'
import { ConnectAckSchema, MessageRequestSchema } from '../../lib/gen/mics/message/v1/message_pb.js'
import { AckStatus, body, MessageType } from '../helpers/client.js'
import { decodeEvent, expectedSign, firsts, msgIds } from '../helpers/events.js'
import { SECRET } from '../helpers/gateway.js'
import { startKafkaGateway, type KafkaGateway } from '../helpers/kafka-gateway.js'
import { KafkaServer } from '../helpers/kafka-server.js'
import { until } from '../helpers/until.js'

// One broker for all tests of this file: it takes seconds to start. Each test has tenants' topics of its own.
const kafka = await KafkaServer.start()
t.teardown(async () => await kafka.close())

/** A gateway whose events go to topics that no other test uses. */
async function start (t: Test, env?: NodeJS.ProcessEnv, create?: string[]): Promise<KafkaGateway> {
  return await startKafkaGateway(t, kafka, env, create)
}

t.test('what happens is published, each kind with its fields, signature, key and headers', async t => {
  const { connect, hooks, consume } = await start(t)
  hooks.groups.set('g1', ['alice', 'bob', 'carol'])
  hooks.config = { offlineUseHookPull: true }
  const topic = await consume('t1')
  const beganAt = Date.now()

  const alice = await connect('alice', { deviceId: 'web' })
  const { traceId } = await alice.connectAck()
  const bob = await connect('bob', { deviceId: 'phone' })
  await alice.sendAndAck({ toUserId: 'bob', msgId: 'single', msgBody: body('hello') })
  t.match(await alice.sendAndAck({ msgType: MessageType.GROUP_CHAT, groupId: 'g1', msgId: 'group', msgBody: body('all') }),
    { offlineNotifiedUsers: 1, offlineBufferedUsers: 0 })
  await alice.sendAndAck({ toUserId: 'dave', msgId: 'away', msgBody: body('later') })
  alice.ws.close()
  await alice.closed
  await bob.roundTrip()

  const records = await topic.until(8)
  const events = records.map(record => ({ record, event: decodeEvent(record), key: record.key }))
  const find = (type: EventType, msgId: string, userId = 'alice') => {
    const found = events.filter(({ event }) =>
      event.eventType === type && event.msgId === msgId && event.userId === userId)
    t.equal(found.length, 1, `one ${EventType[type]} ${msgId} of ${userId}`)
    return found[0]
  }
  const online = find(EventType.CONNECT_ONLINE, '')
  const offline = find(EventType.CONNECT_OFFLINE, '')
  const single = find(EventType.SINGLE_CHAT_MSG, 'single')
  const group = find(EventType.GROUP_CHAT_MSG, 'group')
  const absentMember = find(EventType.OFFLINE_MESSAGE, 'group')
  const absent = find(EventType.OFFLINE_MESSAGE, 'away')
  find(EventType.SINGLE_CHAT_MSG, 'away')
  find(EventType.CONNECT_ONLINE, '', 'bob')

  t.match(online.event, { tenantId: 't1', deviceId: 'web', toUserId: '', groupId: '', nodeId: 'node-1', traceId })
  t.match(fromBinary(ConnectAckSchema, online.event.eventData),
    { code: 1000, tenantId: 't1', userId: 'alice', deviceId: 'web', nodeId: 'node-1', traceId })
  t.strictSame(offline.event.eventData, online.event.eventData)
  t.match(single.event, { tenantId: 't1', deviceId: 'web', toUserId: 'bob', groupId: '', traceId })
  const message = fromBinary(MessageRequestSchema, single.event.eventData)
  t.match(message, { tenantId: 't1', userId: 'alice', deviceId: 'web', msgId: 'single', toUserId: 'bob' })
  t.strictSame(Buffer.from(message.msgBody).toString(), 'hello')
  t.match(group.event, { toUserId: '', groupId: 'g1' })
  t.match(absentMember.event, { toUserId: 'carol', groupId: 'g1' })
  t.strictSame(absentMember.event.eventData, group.event.eventData)
  t.match(absent.event, { toUserId: 'dave', groupId: '' })

  t.strictSame([online, offline, single, group, absentMember, absent].map(({ key }) => key),
    ['alice', 'alice', 'alice:bob', 'g1', 'g1', 'alice:dave'])
  for (const { event, record } of events) {
    t.equal(event.sign, expectedSign(event, SECRET))
    t.ok(Number(event.timestamp) >= beganAt && Number(event.timestamp) <= Date.now())
    const headers = new Map(record.headers)
    t.match(headers.get('traceparent'), new RegExp(`^00-${event.traceId}-(?!0{16})[0-9a-f]{16}-00$`))
    t.equal(headers.get('mics-tenant-id'), 't1')
    t.equal(headers.get('mics-event-type'), EventType[event.eventType])
  }
})

t.test('what the check refuses, and what is invalid, is no event; without a secret events are not signed', async t => {
  const { connect, hooks, consume } = await start(t)
  const topic = await consume('t2')
  const alice = await connect('alice', { tenantId: 't2' })
  hooks.check = ({ message }) => ({ allow: message?.msgId !== 'refused' })
  t.match(await alice.sendAndAck({ toUserId: 'bob', msgId: 'refused' }), { status: AckStatus.FAILED })
  t.match(await alice.sendAndAck({ toUserId: '', msgId: 'invalid' }), { status: AckStatus.FAILED })
  t.match(await alice.sendAndAck({ toUserId: 'bob', msgId: 'fine' }), { status: AckStatus.SENT })
  t.match(await alice.sendAndAck({ toUserId: 'bob', msgId: 'fine' }), { reason: 'duplicate' })
  alice.ws.close()
  const records = await topic.until(3)
  t.strictSame(records.filter(({ key }) => key === 'alice:bob').map(record => decodeEvent(record).msgId), ['fine'])
  t.strictSame(records.map(record => decodeEvent(record).sign), ['', '', ''])
})

t.test('events of a conversation are in the order of its messages, under load and through a restart of the broker', async t => {
  const { connect, consume, metric } = await start(t)
  const topic = await consume('t1')
  const people = ['bob', 'carol', 'dave', 'erin']
  const alice = await connect('alice')
  const sent = new Map(people.map((name): [string, string[]] => [name, []]))
  let count = 0
  const send = (rounds: number): void => {
    for (let round = 0; round < rounds; round++) {
      for (const name of people) sent.get(name)?.push(alice.send({ toUserId: name, msgId: `m${++count}` }))
    }
  }
  send(100)
  await alice.waitAcks(count)
  await topic.until(count)
  const restarted = kafka.restart()
  send(100)
  await alice.waitAcks(count)
  await restarted
  send(50)
  await alice.waitAcks(count)
  await until('all is published', async () => await metric('mics_events_pending', { tenant: 't1' }) === 0)
  const records = await topic.all()
  for (const name of people) {
    const ids = msgIds(records, EventType.SINGLE_CHAT_MSG, `alice:${name}`)
    t.strictSame(firsts(ids), sent.get(name), `${ids.length - firsts(ids).length} came twice`)
  }
  t.equal(await metric('mics_events_dropped_total'), 0)
  t.equal(await metric('mics_events_dead_lettered_total'), 0)
})

t.test('while the broker hangs the chat goes on; what did not fit is dropped and counted, the rest comes after', async t => {
  const { connect, consume, metric } = await start(t, { KAFKA_MAX_PENDING_PER_TENANT: '50' })
  const topic = await consume('t1')
  const alice = await connect('alice')
  const bob = await connect('bob')
  await topic.until(2)
  kafka.pause()
  for (let i = 0; i < 80; i++) alice.send({ toUserId: 'bob', msgId: `m${i}` })
  const acks = await alice.waitAcks(80)
  t.ok(acks.every(({ status }) => status === AckStatus.SENT))
  await bob.waitMessages(80)
  t.equal(await metric('mics_events_pending', { tenant: 't1' }), 50)
  t.equal(await metric('mics_events_dropped_total', { tenant: 't1', reason: 'queue_full' }), 30)
  kafka.resume()
  await until('all is published', async () => await metric('mics_events_pending', { tenant: 't1' }) === 0)
  const ids = msgIds(await topic.all(), EventType.SINGLE_CHAT_MSG, 'alice:bob')
  t.strictSame(firsts(ids), Array.from({ length: 50 }, (_, i) => `m${i}`))
})

t.test('a tenant whose topic is missing has its events in its dead letter topic, and another does not notice', async t => {
  const { connect, consume, metric, prefix } = await start(t, {
    KAFKA_DELIVERY_TIMEOUT_MS: '2000', KAFKA_MAX_ATTEMPTS: '2',
  }, ['t1'])
  await kafka.createTopic(`${prefix}-t2-event-dlq`)
  const topic = await consume('t1')
  const letters = await consume('t2', '-dlq')
  const poisoned = await connect('alice', { tenantId: 't2' })
  const healthy = await connect('alice')
  for (let i = 0; i < 20; i++) poisoned.send({ toUserId: 'bob', msgId: `p${i}` })
  await poisoned.waitAcks(20)
  for (let i = 0; i < 20; i++) healthy.send({ toUserId: 'bob', msgId: `h${i}` })
  await topic.until(21)
  t.ok(await metric('mics_events_pending', { tenant: 't2' }) > 0, 'those of the other still wait for their topic')
  t.equal(await metric('mics_events_pending', { tenant: 't1' }), 0)

  const dead = await letters.until(21)
  t.strictSame(firsts(msgIds(dead, EventType.SINGLE_CHAT_MSG, 'alice:bob')), Array.from({ length: 20 }, (_, i) => `p${i}`))
  const headers = new Map(dead[0].headers)
  t.match(headers.get('mics-dlq-reason'), /UNKNOWN_TOPIC/)
  t.equal(headers.get('mics-dlq-topic'), `${prefix}-t2-event`)
  t.equal(headers.get('mics-tenant-id'), 't2')
  // Fewer where the broken topic was tried with an event that came later.
  const attempts = dead.map(record => Number(new Map(record.headers).get('mics-dlq-attempts')))
  t.ok(attempts.reduce((sum, count) => sum + Math.max(count - 1, 0), 0) <= 1, 'no more attempts than are configured')
  t.match(headers.get('mics-dlq-message'), /; create it, or set KAFKA_CREATE_TOPICS=true$/)
  t.equal(await metric('mics_events_dead_lettered_total', { tenant: 't1' }), 0)

  await kafka.createTopic(`${prefix}-t2-event`)
  const mended = await consume('t2')
  let sent = 0
  await until('the topic is used again', async () => {
    await poisoned.sendAndAck({ toUserId: 'bob', msgId: `after${++sent}` })
    return mended.records.length > 0
  })
})

t.test('a message that is too large for the topic is a dead letter at once, and holds up nothing behind it', async t => {
  const { connect, consume, prefix } = await start(t, {}, [])
  await kafka.createTopic(`${prefix}-t1-event`, { config: { 'max.message.bytes': '4000' } })
  await kafka.createTopic(`${prefix}-t1-event-dlq`)
  const topic = await consume('t1')
  const letters = await consume('t1', '-dlq')
  const alice = await connect('alice')
  // Random bytes, because brokers look at the compressed size.
  const large = crypto.getRandomValues(Buffer.alloc(10_000))
  alice.send({ toUserId: 'bob', msgId: 'before' })
  alice.send({ toUserId: 'bob', msgId: 'large', msgBody: large })
  alice.send({ toUserId: 'bob', msgId: 'behind' })
  t.match(await alice.waitAcks(3), [{ status: AckStatus.SENT }, { status: AckStatus.SENT }, { status: AckStatus.SENT }])
  t.strictSame(msgIds(await topic.until(3), EventType.SINGLE_CHAT_MSG, 'alice:bob'), ['before', 'behind'])
  const [letter] = await letters.until(1)
  const event = decodeEvent(letter)
  t.strictSame(Buffer.from(fromBinary(MessageRequestSchema, event.eventData).msgBody), large)
  t.equal(event.sign, expectedSign(event, SECRET))
  t.match(new Map(letter.headers).get('mics-dlq-reason'), /MSG_SIZE_TOO_LARGE/)
})

t.test('a missing topic is created where that is configured, and what waited for it is in it', async t => {
  const { connect, consume, prefix, metric } = await start(t, { KAFKA_CREATE_TOPICS: 'true' }, [])
  const alice = await connect('alice')
  await alice.sendAndAck({ toUserId: 'bob', msgId: 'first' })
  await until('all is published', async () => await metric('mics_events_pending', { tenant: 't1' }) === 0)
  t.strictSame((await kafka.topics()).filter(name => name.startsWith(prefix)), [`${prefix}-t1-event`])
  const topic = await consume('t1')
  t.strictSame(msgIds(await topic.until(2), EventType.SINGLE_CHAT_MSG, 'alice:bob'), ['first'])
})

t.test('what is queued is published before the process ends', async t => {
  const { connect, consume, server } = await start(t, { KAFKA_FLUSH_SECONDS: '30' })
  const topic = await consume('t1')
  const alice = await connect('alice')
  const bob = await connect('bob')
  await topic.until(2)
  kafka.pause()
  t.teardown(() => kafka.resume())
  for (let i = 0; i < 200; i++) alice.send({ toUserId: 'bob', msgId: `m${i}` })
  await alice.waitAcks(200)
  const closed = server.close()
  await Promise.all([alice.closed, bob.closed])
  kafka.resume()
  await closed
  const records = await topic.all()
  t.equal(firsts(msgIds(records, EventType.SINGLE_CHAT_MSG, 'alice:bob')).length, 200)
  t.equal(msgIds(records, EventType.CONNECT_OFFLINE, 'alice').length, 1, 'the end of the connections, too')
  t.equal(msgIds(records, EventType.CONNECT_OFFLINE, 'bob').length, 1)
})
