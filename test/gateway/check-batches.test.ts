import type { ServerResponse } from 'node:http'
import { fromBinary } from '@bufbuild/protobuf'
import t from 'tap'
import { CheckMessagesRequestSchema } from '../../lib/gen/mics/hook/v1/hook_pb.js'
import { HOOK_TIMEOUT_MS } from '../../lib/hooks/hooks-client.js'
import { atOnce } from '../helpers/at-once.js'
import { AckStatus, body, MessageType, text, type TestClient } from '../helpers/client.js'
import { SECRET } from '../helpers/gateway.js'
import { expectedSign, expectedSignatureHeader, type HookServer } from '../helpers/hook-server.js'
import { startPatientGateway } from '../helpers/patient-gateway.js'
import { TRACED, traceOf, verdicts } from '../helpers/traces.js'
import { until } from '../helpers/until.js'

const BATCHES = { checkBatchMaxMessages: 4 }

/** Sends messages with the bodies 0, 1, 2 ..., all read by the gateway in one piece. */
function sendAtOnce (client: TestClient, count: number, toUserId = 'bob'): void {
  atOnce(client, () => {
    for (let i = 0; i < count; i++) client.send({ toUserId, msgId: `m${i}`, msgBody: body(`${i}`) })
  })
}

/** Messages in each call so far. */
function batchSizes (hooks: HookServer): number[] {
  return hooks.callsOf('check-messages').map(call => fromBinary(CheckMessagesRequestSchema, call.body).messages.length)
}

t.test('messages that arrive together are checked together, and each is answered by its own verdict', async t => {
  const gateway = await startPatientGateway(t)
  const { hooks } = gateway
  hooks.config = BATCHES
  hooks.check = ({ message }) => message?.msgId === 'm2' ? { allow: false, reason: 'spam' } : { allow: true }
  const [alice, bob] = [await gateway.connect('alice'), await gateway.connect('bob')]
  sendAtOnce(alice, 8)
  const acks = await alice.waitAcks(8)
  for (const { msgId, status, reason } of acks) {
    t.same([status, reason], msgId === 'm2' ? [AckStatus.FAILED, 'spam'] : [AckStatus.SENT, ''], msgId)
  }
  await bob.roundTrip()
  t.same(bob.messages.map(text), ['0', '1', '3', '4', '5', '6', '7'])
  t.same(batchSizes(hooks), [4, 4])
  t.equal(hooks.callsOf('check-message').length, 0)
  for (const call of hooks.callsOf('check-messages')) {
    t.equal(call.meta.sign, expectedSign(call, SECRET))
    t.equal(call.headers['x-mics-signature'], expectedSignatureHeader(call, SECRET))
  }
  t.equal(await gateway.metric('mics_hook_batch_messages_sum'), 8)
  t.equal(await gateway.metric('mics_hook_batch_messages_count'), 2)
})

t.test('messages of a conversation arrive in order, whatever order their batches are answered in', async t => {
  const gateway = await startPatientGateway(t)
  const { hooks } = gateway
  hooks.config = BATCHES
  const answers: Array<() => void> = []
  hooks.checkMessages = async ({ messages }) => {
    await new Promise<void>(resolve => answers.push(resolve))
    return { verdicts: messages.map(() => ({ allow: true })) }
  }
  const [alice, bob, carol] =
    [await gateway.connect('alice'), await gateway.connect('bob'), await gateway.connect('carol')]
  atOnce(alice, () => {
    for (let i = 0; i < 32; i++) alice.send({ toUserId: i % 3 === 0 ? 'carol' : 'bob', msgBody: body(`${i}`) })
  })
  await until('all batches are on their way', () => answers.length === 8)
  for (const answer of answers.reverse()) {
    answer()
    await alice.roundTrip()
  }
  await alice.waitAcks(32)
  await Promise.all([bob.roundTrip(), carol.roundTrip()])
  const numbers = Array.from({ length: 32 }, (_, i) => i)
  t.same(bob.messages.map(text), numbers.filter(i => i % 3 !== 0).map(String))
  t.same(carol.messages.map(text), numbers.filter(i => i % 3 === 0).map(String))
})

t.test('messages of several connections are checked together, those to groups too', async t => {
  const gateway = await startPatientGateway(t)
  const { hooks } = gateway
  hooks.config = { checkBatchMaxMessages: 256, checkBatchMaxWaitMs: 50, hookMaxConcurrency: 1 }
  hooks.groups.set('g', ['alice', 'bob', 'carol'])
  const [alice, bob, carol] =
    [await gateway.connect('alice'), await gateway.connect('bob'), await gateway.connect('carol')]
  let answer = (): void => {}
  const gate = new Promise<void>(resolve => { answer = resolve })
  hooks.check = async () => {
    await gate
    return { allow: true }
  }
  alice.send({ toUserId: 'bob', msgBody: body('first') })
  await until('its check is on its way', () => hooks.callsOf('check-messages').length === 1)
  alice.send({ toUserId: 'bob', msgBody: body('second') })
  bob.send({ msgType: MessageType.GROUP_CHAT, groupId: 'g', msgBody: body('third') })
  await until('the members are asked for', () => hooks.callsOf('get-group-members').length === 1)
  await Promise.all([alice.roundTrip(), bob.roundTrip()])
  answer()
  t.same((await carol.waitMessages(1)).map(text), ['third'])
  t.same((await alice.waitAcks(2)).map(({ status }) => status), [AckStatus.SENT, AckStatus.SENT])
  t.same(batchSizes(hooks), [1, 2])
})

const broken: Record<string, [answer: (response: ServerResponse) => void, result: string]> = {
  'a server that does not serve it': [response => response.writeHead(404).end('not found'), 'status'],
  'a server that fails': [response => response.writeHead(500).end(), 'status'],
  'an answer that is not protobuf': [response => response.end('<html>welcome</html>'), 'undecodable'],
  'an answer without verdicts': [response => response.end(), 'undecodable'],
  'a connection that breaks': [response => response.destroy(), 'network'],
}

for (const [name, [answer, result]] of Object.entries(broken)) {
  t.test(`${name}: each sender gets what the settings of its connection say`, async t => {
    const gateway = await startPatientGateway(t)
    const { hooks } = gateway
    hooks.auth = ({ token, deviceId }) => {
      const userId = token.slice('valid:'.length)
      return { ok: true, userId, deviceId, config: { ...BATCHES, checkMessageFailClosed: userId === 'careful' } }
    }
    const [careful, open] = [await gateway.connect('careful'), await gateway.connect('open')]
    hooks.raw.set('check-messages', answer)
    sendAtOnce(careful, 3)
    sendAtOnce(open, 3)
    for (const { status, reason } of await careful.waitAcks(3)) {
      t.same([status, reason], [AckStatus.FAILED, 'check unavailable'])
    }
    for (const { status, reason } of await open.waitAcks(3)) t.same([status, reason], [AckStatus.SENT, ''])
    t.equal(await gateway.metric('mics_check_message_degraded_total', { tenant: 't1' }), 3)
    t.ok(await gateway.metric('mics_hook_calls_total', { tenant: 't1', operation: 'check-messages', result }) > 0)
  })
}

t.test('one tenant\'s batches that hang do not hold up another tenant\'s', async t => {
  const gateway = await startPatientGateway(t, { DRAIN_TIMEOUT_SECONDS: '0' })
  const { hooks } = gateway
  hooks.auth = ({ meta, token, deviceId }) => ({
    ok: true,
    userId: token.slice('valid:'.length),
    deviceId,
    config: { ...BATCHES, checkBatchMaxWaitMs: 50, hookMaxConcurrency: meta?.tenantId === 't1' ? 2 : 32 },
  })
  hooks.check = ({ meta }) => meta?.tenantId === 't1' ? new Promise(() => {}) : { allow: true }
  const flooders = await Promise.all([1, 2].map(async n => await gateway.connect(`flooder${n}`)))
  const t2 = { tenantId: 't2' }
  const [alice, bob] = await Promise.all([gateway.connect('alice', t2), gateway.connect('bob', t2)])
  for (const flooder of flooders) sendAtOnce(flooder, 32)
  await until('every slot of t1 is taken by a call that hangs', () => hooks.callsOf('check-messages').length === 2)
  await until('t1 is short of slots', async () =>
    await gateway.metric('mics_hook_calls_total', { tenant: 't1', result: 'queue_full' }) > 0)

  sendAtOnce(alice, 32)
  for (const { status, reason } of await alice.waitAcks(32)) t.same([status, reason], [AckStatus.SENT, ''])
  t.same((await bob.waitMessages(32)).map(text), Array.from({ length: 32 }, (_, i) => `${i}`))
  t.equal(await gateway.metric('mics_check_message_degraded_total', { tenant: 't2' }), 0)
  t.equal(hooks.callsOf('check-messages').filter(({ meta }) => meta.tenantId === 't1').length, 2)
})

t.test('a hook that does not answer in time is given up for the whole batch, and its breaker opens', async t => {
  const gateway = await startPatientGateway(t)
  const { hooks } = gateway
  hooks.config = { ...BATCHES, hookBreakerFailureThreshold: 2, hookBreakerOpenMs: 60_000 }
  const alice = await gateway.connect('alice')
  gateway.server.app.hooksClient.timeoutMs = HOOK_TIMEOUT_MS
  hooks.raw.set('check-messages', () => {})
  sendAtOnce(alice, 8)
  for (const { status } of await alice.waitAcks(8)) t.equal(status, AckStatus.SENT)
  t.equal(await gateway.metric('mics_hook_calls_total', { operation: 'check-messages', result: 'timeout' }), 2)
  t.equal(await gateway.metric('mics_hook_breaker_state', { operation: 'check-messages' }), 1)
})

t.test('what became of a message says what its batch said of it', async t => {
  const gateway = await startPatientGateway(t, TRACED)
  const { hooks, server } = gateway
  hooks.config = BATCHES
  hooks.check = ({ message }) => message?.msgId === 'm1' ? { allow: false, reason: 'spam' } : { allow: true }
  const alice = await gateway.connect('alice')
  sendAtOnce(alice, 3)
  await alice.waitAcks(3)
  t.ok(verdicts(await traceOf(server.app, 'm0')).includes('check_hook: allowed'))
  t.ok(verdicts(await traceOf(server.app, 'm1')).includes('check_hook: refused: spam'))
  hooks.raw.set('check-messages', response => response.writeHead(404).end())
  await alice.sendAndAck({ toUserId: 'bob', msgId: 'unchecked' })
  t.ok(verdicts(await traceOf(server.app, 'unchecked')).includes('check_hook: no answer: status'))
})
