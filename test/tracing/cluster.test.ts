import t, { type Test } from 'tap'
import { EventType } from '../../lib/gen/mics/hook/v1/hook_pb.js'
import { AckStatus, body } from '../helpers/client.js'
import { decodeEvent } from '../helpers/events.js'
import type { TestGateway } from '../helpers/gateway.js'
import { startKafkaGateway, type KafkaGateway } from '../helpers/kafka-gateway.js'
import { withKafka } from '../helpers/kafka-server.js'
import { startPatientGateway } from '../helpers/patient-gateway.js'
import { withRedis } from '../helpers/redis-server.js'
import { until } from '../helpers/until.js'
import { OtlpReceiver, type ReceivedSpan } from './otlp-receiver.js'

const BODY = 'a-body-that-nobody-else-may-read'
const kafka = await withKafka(t)

interface Cluster {
  /** Its hooks are those of both, and its topics. */
  one: KafkaGateway
  two: TestGateway
}

async function startCluster (t: Test, env: NodeJS.ProcessEnv): Promise<Cluster> {
  const { url } = await withRedis(t)
  const shared = { REDIS_URL: url, CLUSTER_GRPC_TOKEN: 'a-secret-of-this-test', NODE_PORT: '0', PEER_TIMEOUT_MS: '20000', ...env }
  const one = await startKafkaGateway(t, kafka, { ...shared, NODE_ID: 'node-1' })
  const two = await startPatientGateway(t, {
    ...shared,
    NODE_ID: 'node-2',
    TENANT_AUTH_MAP: JSON.stringify({ t1: `${one.hooks.url}/t1`, t2: `${one.hooks.url}/t2` }),
  })
  await until('both nodes know each other',
    () => [one, two].every(({ server }) => server.app.nodeDirectory.members().length === 2))
  return { one, two }
}

/** The headers of the one event of a message. */
async function eventHeaders (one: KafkaGateway, msgId: string): Promise<Map<string, string>> {
  const consumer = await one.consume('t1')
  const find = (): Array<Map<string, string>> => consumer.records
    .filter(record => decodeEvent(record).eventType === EventType.SINGLE_CHAT_MSG)
    .filter(record => decodeEvent(record).msgId === msgId)
    .map(({ headers }) => new Map(headers))
  await until(`the event of ${msgId} is there`, () => find().length > 0)
  return find()[0]
}

t.test('a message from one node to another is one whole trace, from its frame to its event', async t => {
  const receiver = await OtlpReceiver.start(t)
  const { one, two } = await startCluster(t, receiver.env)
  const [alice, bob] = [await one.connect('alice'), await two.connect('bob')]
  const { status, msgId } = await alice.sendAndAck({ toUserId: 'bob', msgBody: body(BODY) })
  t.equal(status, AckStatus.SENT)
  await bob.waitMessages(1)

  const { traceId } = await alice.connectAck()
  // Of the connection: the handshake, its hook, its event.
  const spans = await receiver.trace(traceId, spans => spans.length >= 8)
  const tree = (parentId: string, depth = 0): string[] => spans
    .filter(span => span.parentId === parentId)
    .sort((one, other) => one.name < other.name ? -1 : 1)
    .flatMap(({ name, kind, spanId, attributes }) =>
      [`${'  '.repeat(depth)}${name} ${kind} ${attributes['mics.node_id']}`, ...tree(spanId, depth + 1)])
  t.same(tree(''), [
    'mics.connect server node-1',
    '  mics.event producer node-1',
    '  mics.hook auth client node-1',
    '  mics.message server node-1',
    '    mics.event producer node-1',
    '    mics.forward client node-1',
    '      mics.deliver server node-2',
    '    mics.hook check-message client node-1',
  ])
  const find = (name: string, type?: string): ReceivedSpan => spans.find(span =>
    span.name === name && (type === undefined || span.attributes['mics.event_type'] === type)) as ReceivedSpan

  t.match(find('mics.forward').attributes, { 'mics.peer': 'node-2', 'mics.users': 1, 'mics.devices': 1 })
  t.match(find('mics.deliver').attributes, {
    'mics.tenant_id': 't1', 'mics.msg_id': msgId, 'mics.user_id': 'alice', 'mics.device_id': 'd1', 'mics.devices': 1,
  })
  t.equal(one.hooks.callsOf('check-message')[0].headers.traceparent,
    `00-${traceId}-${find('mics.hook check-message').spanId}-01`)
  t.equal((await eventHeaders(one, msgId)).get('traceparent'), `00-${traceId}-${find('mics.event', 'SINGLE_CHAT_MSG').spanId}-01`)
  t.ok(spans.every(({ error }) => error === ''))
  t.notOk(Buffer.concat(receiver.bodies).toString('latin1').includes(BODY), 'no body is exported')
})

t.test('what waits at another node is seen in the trace', async t => {
  const receiver = await OtlpReceiver.start(t)
  const { one } = await startCluster(t, receiver.env)
  const alice = await one.connect('alice')
  // Of so many users some have their home at the other node.
  for (let i = 0; i < 20; i++) await alice.sendAndAck({ toUserId: `away-${i}` })
  const { traceId } = await alice.connectAck()
  const ofBuffer = (spans: ReceivedSpan[]): ReceivedSpan[] => spans.filter(({ name }) => name === 'mics.buffer')
  const spans = ofBuffer(await receiver.trace(traceId, spans => ofBuffer(spans).length >= 20))
  t.equal(spans.length, 20)
  t.ok(spans.every(({ attributes }) => attributes['mics.users'] === 1))
  t.ok(spans.some(({ kind, attributes }) => kind === 'client' && attributes['mics.peer'] === 'node-2'), 'at the other node')
  t.ok(spans.some(({ kind }) => kind === 'internal'), 'at this one')
})

t.test('what the sampler leaves out is not exported, and nobody is told that it is', async t => {
  const receiver = await OtlpReceiver.start(t)
  const { one, two } = await startCluster(t, { ...receiver.env, OTEL_TRACES_SAMPLER: 'always_off' })
  const [alice, bob] = [await one.connect('alice'), await two.connect('bob')]
  const { msgId } = await alice.sendAndAck({ toUserId: 'bob' })
  await bob.waitMessages(1)
  const { traceId } = await alice.connectAck()
  const unsampled = new RegExp(`^00-${traceId}-(?!0{16})[0-9a-f]{16}-00$`)
  t.match(one.hooks.callsOf('check-message')[0].headers.traceparent, unsampled)
  t.match((await eventHeaders(one, msgId)).get('traceparent'), unsampled)
  await one.server.close()
  await two.server.close()
  t.equal(receiver.requests, 0)
})

t.test('a node that does not trace delivers what another one traces', async t => {
  const receiver = await OtlpReceiver.start(t)
  const { one, two } = await startCluster(t, {})
  const three = await startPatientGateway(t, {
    REDIS_URL: one.server.app.config.redisUrl,
    CLUSTER_GRPC_TOKEN: 'a-secret-of-this-test',
    NODE_PORT: '0',
    PEER_TIMEOUT_MS: '20000',
    NODE_ID: 'node-3',
    ...receiver.env,
  })
  await until('it knows the others', () => three.server.app.nodeDirectory.members().length === 3)
  const [carol, bob] = [await three.connect('carol'), await two.connect('bob')]
  t.equal((await carol.sendAndAck({ toUserId: 'bob' })).status, AckStatus.SENT)
  await bob.waitMessages(1)
  const { traceId } = await carol.connectAck()
  const spans = await receiver.trace(traceId, spans => spans.some(({ name }) => name === 'mics.message'))
  t.notOk(spans.some(({ name }) => name === 'mics.deliver'))
  t.match(spans.find(({ name }) => name === 'mics.forward'), { error: '', attributes: { 'mics.devices': 1 } })
})
