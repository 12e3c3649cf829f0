import t from 'tap'
import { atOnce } from '../helpers/at-once.js'
import { AckStatus, body, MessageType } from '../helpers/client.js'
import { startPatientGateway } from '../helpers/patient-gateway.js'
import { OtlpReceiver, type ReceivedSpan } from './otlp-receiver.js'

const BODY = 'a-body-that-nobody-else-may-read'

function namesOf (spans: readonly ReceivedSpan[]): string[] {
  return spans.map(({ name }) => name).sort()
}

function named (spans: readonly ReceivedSpan[], name: string): ReceivedSpan {
  const found = spans.filter(span => span.name === name)
  if (found.length !== 1) throw new Error(`there are ${found.length} spans ${name} among ${namesOf(spans).join(', ')}`)
  return found[0]
}

const hasAcks = (count: number) => (spans: ReceivedSpan[]): boolean =>
  spans.filter(({ name }) => name === 'mics.message').length === count

t.test('a connection and its messages are one trace, under the id of its connect_ack', async t => {
  const receiver = await OtlpReceiver.start(t)
  const gateway = await startPatientGateway(t, { ...receiver.env, OTEL_SERVICE_NAME: 'chat', OTEL_RESOURCE_ATTRIBUTES: 'team=im%2Cweb' })
  gateway.hooks.config = { offlineUseHookPull: true }
  gateway.hooks.groups.set('g', ['alice', 'bob'])
  const [alice, bob] = [await gateway.connect('alice'), await gateway.connect('bob')]
  const { traceId } = await alice.connectAck()
  const { msgId } = await alice.sendAndAck({ toUserId: 'bob', msgBody: body(BODY) })
  await alice.sendAndAck({ msgType: MessageType.GROUP_CHAT, groupId: 'g', msgBody: body(BODY) })
  await bob.waitMessages(2)

  const spans = await receiver.trace(traceId, spans => spans.length >= 10)
  t.same(namesOf(spans), [
    'mics.connect', 'mics.deliver', 'mics.deliver', 'mics.hook auth', 'mics.hook check-message', 'mics.hook check-message',
    'mics.hook get-group-members', 'mics.hook get-offline-messages', 'mics.message', 'mics.message',
  ])
  const connect = named(spans, 'mics.connect')
  t.match(connect, {
    parentId: '',
    kind: 'server',
    attributes: { 'mics.tenant_id': 't1', 'mics.user_id': 'alice', 'mics.device_id': 'd1', 'mics.node_id': 'node-1', 'mics.outcome': 'admitted' },
    resource: { 'service.name': 'chat', 'service.instance.id': 'node-1', 'service.version': /^\d+\.\d+\.\d+/, team: 'im,web' },
  })
  for (const name of ['mics.hook auth', 'mics.hook get-offline-messages']) {
    t.match(named(spans, name), { parentId: connect.spanId, kind: 'client' }, name)
  }
  const message = spans.find(({ attributes }) => attributes['mics.msg_id'] === msgId && attributes['mics.target'] === 'user')
  t.match(message, {
    name: 'mics.message',
    parentId: connect.spanId,
    kind: 'server',
    error: '',
    attributes: {
      'mics.tenant_id': 't1', 'mics.user_id': 'alice', 'mics.device_id': 'd1', 'mics.node_id': 'node-1', 'mics.ack_status': 'SENT', 'mics.users_delivered': 1,
    },
  })
  const beneath = spans.filter(({ parentId }) => parentId === message?.spanId)
  t.same(namesOf(beneath), ['mics.deliver', 'mics.hook check-message'])
  t.equal(named(beneath, 'mics.deliver').attributes['mics.devices'], 1)
  t.match(named(beneath, 'mics.hook check-message'), {
    kind: 'client',
    attributes: {
      'http.request.method': 'POST',
      'http.response.status_code': 200,
      'server.address': '127.0.0.1',
      'server.port': gateway.hooks.port,
    },
  })
  t.ok(spans.every(({ duration }) => duration >= 0))
  const bytes = Buffer.concat(receiver.bodies).toString('latin1')
  t.notOk(bytes.includes(BODY), 'no body is exported')
  t.notOk(bytes.includes('valid:'), 'no token is exported')
  t.notOk(bytes.includes('/check-message'), 'nor the path of a hook')
  t.ok(bytes.includes('alice'), 'and what is looked for would be seen')
})

t.test('a hook is told which span called it', async t => {
  const receiver = await OtlpReceiver.start(t)
  const gateway = await startPatientGateway(t, receiver.env)
  const alice = await gateway.connect('alice')
  await alice.sendAndAck({ toUserId: 'nobody' })
  const { traceId } = await alice.connectAck()
  const spans = await receiver.trace(traceId, hasAcks(1))
  for (const operation of ['auth', 'check-message'] as const) {
    const { spanId } = named(spans, `mics.hook ${operation}`)
    t.equal(gateway.hooks.callsOf(operation)[0].headers.traceparent, `00-${traceId}-${spanId}-01`, operation)
  }
  t.match(named(spans, 'mics.buffer'), { attributes: { 'mics.users': 1 } }, 'the message waits for its recipient')
})

t.test('what goes wrong is seen in its span', async t => {
  const receiver = await OtlpReceiver.start(t)
  const gateway = await startPatientGateway(t, receiver.env)
  const alice = await gateway.connect('alice')
  gateway.hooks.raw.set('check-message', response => response.writeHead(503).end())
  gateway.hooks.raw.set('get-group-members', response => response.writeHead(200).end('nonsense'))
  const { status } = await alice.sendAndAck({ msgType: MessageType.GROUP_CHAT, groupId: 'g' })
  t.equal(status, AckStatus.FAILED)
  const { traceId } = await alice.connectAck()
  const spans = await receiver.trace(traceId, hasAcks(1))
  t.match(named(spans, 'mics.hook check-message'), {
    error: 'status', attributes: { 'error.type': 'status', 'http.response.status_code': 503 },
  })
  t.match(named(spans, 'mics.hook get-group-members'), { error: 'undecodable' })
  t.match(named(spans, 'mics.message'), {
    error: 'group members unavailable', attributes: { 'mics.ack_status': 'FAILED', 'mics.ack_reason': 'group members unavailable' },
  })
})

t.test("a hook's own words are in no span", async t => {
  const receiver = await OtlpReceiver.start(t)
  const gateway = await startPatientGateway(t, receiver.env)
  const alice = await gateway.connect('alice')
  gateway.hooks.check = () => ({ allow: false, reason: BODY })
  t.equal((await alice.sendAndAck({ toUserId: 'bob' })).reason, BODY)
  const { traceId } = await alice.connectAck()
  const spans = await receiver.trace(traceId, hasAcks(1))
  t.match(named(spans, 'mics.message'), { error: '', attributes: { 'mics.ack_status': 'FAILED', 'mics.ack_reason': 'check hook' } })
  t.notOk(Buffer.concat(receiver.bodies).toString('latin1').includes(BODY))
})

t.test('a client that is refused leaves a trace of that', async t => {
  const receiver = await OtlpReceiver.start(t)
  const gateway = await startPatientGateway(t, receiver.env)
  await t.rejects(gateway.connect('alice', { token: 'wrong' }))
  const { traceId } = gateway.hooks.callsOf('auth')[0].meta
  const spans = await receiver.trace(traceId, spans => spans.length === 2)
  t.match(named(spans, 'mics.connect'), { error: '', attributes: { 'mics.outcome': 'refused', 'mics.close_code': 4001 } })
  t.match(named(spans, 'mics.hook auth'), { error: '' })
})

t.test('of one connection a thousand messages are traced', async t => {
  const receiver = await OtlpReceiver.start(t)
  const gateway = await startPatientGateway(t, { ...receiver.env, OTEL_BSP_MAX_QUEUE_SIZE: '100000' })
  gateway.hooks.config = { checkMessageDisabled: true }
  const [alice] = [await gateway.connect('alice'), await gateway.connect('bob')]
  for (let sent = 0; sent < 1000; sent += 100) {
    for (let i = 0; i < 100; i++) alice.send({ toUserId: 'bob' })
    await alice.waitAcks(sent + 100)
  }
  await alice.sendAndAck({ toUserId: 'bob', msgId: 'one-too-many' })
  const { traceId } = await alice.connectAck()
  await receiver.trace(traceId, hasAcks(1000))
  await gateway.server.close()
  const messages = receiver.spans.filter(span => span.traceId === traceId && span.name === 'mics.message')
  t.equal(messages.length, 1000)
  t.notOk(messages.some(({ attributes }) => attributes['mics.msg_id'] === 'one-too-many'))
})

t.test('a message with ids that are too long is not traced, and arrives', async t => {
  const receiver = await OtlpReceiver.start(t)
  const gateway = await startPatientGateway(t, receiver.env)
  const [alice, bob] = [await gateway.connect('alice'), await gateway.connect('bob')]
  await alice.sendAndAck({ toUserId: 'bob', msgId: 'x'.repeat(2000) })
  await alice.sendAndAck({ toUserId: 'bob', msgId: 'short' })
  await bob.waitMessages(2)
  const { traceId } = await alice.connectAck()
  const spans = await receiver.trace(traceId, hasAcks(1))
  t.equal(named(spans, 'mics.message').attributes['mics.msg_id'], 'short')
})

t.test('messages that are checked together have a span each, and the hook is told the first', async t => {
  const receiver = await OtlpReceiver.start(t)
  const gateway = await startPatientGateway(t, receiver.env)
  gateway.hooks.config = { checkBatchMaxMessages: 16 }
  const alice = await gateway.connect('alice')
  atOnce(alice, () => { for (const msgId of ['m1', 'm2', 'm3']) alice.send({ toUserId: 'bob', msgId }) })
  await alice.waitAcks(3)
  gateway.hooks.raw.set('check-messages', response => response.writeHead(503).end())
  await alice.sendAndAck({ toUserId: 'bob', msgId: 'm4' })
  const { traceId } = await alice.connectAck()
  const spans = await receiver.trace(traceId, hasAcks(4))
  const checks = spans.filter(({ name }) => name === 'mics.hook check-messages')
  const checkOf = (msgId: string): ReceivedSpan => {
    const message = spans.find(span => span.name === 'mics.message' && span.attributes['mics.msg_id'] === msgId)
    return checks.find(({ parentId }) => parentId === message?.spanId) as ReceivedSpan
  }
  for (const msgId of ['m1', 'm2', 'm3']) {
    t.match(checkOf(msgId), {
      kind: 'client', error: '', attributes: { 'mics.batch_size': 3, 'http.response.status_code': 200, 'server.address': '127.0.0.1' },
    }, msgId)
  }
  t.match(checkOf('m4'), { error: 'status', attributes: { 'mics.batch_size': 1, 'http.response.status_code': 503 } })
  t.equal(checks.length, 4)
  const told = gateway.hooks.callsOf('check-messages').map(({ headers }) => headers.traceparent)
  t.same(told, ['m1', 'm4'].map(msgId => `00-${traceId}-${checkOf(msgId).spanId}-01`))
})
