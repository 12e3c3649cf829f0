import t from 'tap'
import { startPatientGateway } from '../../helpers/patient-gateway.js'
import type { OutgoingMessage } from '../../../sdk/client/src/message.js'
import { ScriptedGateway } from './scripted-gateway.js'
import { SdkClient, wsUrl } from './sdk-client.js'

const hello = { toUserId: 'bob', body: 'hello' }

t.test('a message that cannot be sent is refused at once', async t => {
  const { client } = new SdkClient(t, { url: 'ws://127.0.0.1:1', maxBodyBytes: 5 })
  for (const [message, problem] of [
    [{ body: 'x' }, /either toUserId or groupId/],
    [{ body: 'x', toUserId: 'a', groupId: 'b' }, /either toUserId or groupId/],
    [{ toUserId: 'bob', body: 7 }, /body must be/],
    [{ ...hello, msgId: '' }, /msgId must be/],
    [{ ...hello, timestampMs: 1.5 }, /timestampMs must be/],
  ] as const) {
    await t.rejects(client.send(message as unknown as OutgoingMessage), { code: 'MICS_INVALID_ARGUMENT', message: problem })
  }
  await t.rejects(client.send(hello, { timeoutMs: 0 }), { code: 'MICS_INVALID_ARGUMENT', message: /timeoutMs/ })
  await t.rejects(client.send({ toUserId: 'bob', body: 'ééé' }), { code: 'MICS_BODY_TOO_LARGE', message: /6 bytes/ })
  t.equal(client.pending, 0)
})

t.test('the outbox is bounded, in messages and in bytes', async t => {
  const gateway = await ScriptedGateway.start(t)
  const { client } = new SdkClient(t, { url: gateway.url, outboxMaxMessages: 3, outboxMaxBytes: 12 })
  const sent = [client.send({ ...hello, msgId: 'a' }), client.send({ ...hello, msgId: 'b' })]
  await t.rejects(client.send(hello), { code: 'MICS_OUTBOX_FULL', isPassing: true })
  sent.push(client.send({ toUserId: 'bob', body: '', msgId: 'c' }))
  await t.rejects(client.send({ toUserId: 'bob', body: '' }), { code: 'MICS_OUTBOX_FULL' })
  await t.rejects(client.send({ toUserId: 'bob', body: '', msgId: 'c' }), { code: 'MICS_INVALID_ARGUMENT', message: /msgId c/ })
  client.connect()
  const accepted = await gateway.letIn()
  await accepted.untilMessages(3)
  for (const msgId of ['a', 'b', 'c']) accepted.ack(msgId)
  await Promise.all(sent)
  const next = client.send({ ...hello, msgId: 'd' })
  await accepted.untilMessages(4)
  accepted.ack('d')
  await next
})

t.test('a message without an answer in time is given up, and its place is free', async t => {
  const gateway = await ScriptedGateway.start(t)
  const alice = new SdkClient(t, { url: gateway.url, maxInFlight: 1 })
  await t.rejects(alice.client.send(hello, { timeoutMs: 1 }), { code: 'MICS_SEND_TIMEOUT', message: /was not sent/ })
  alice.client.connect()
  const accepted = await gateway.letIn()
  const late = alice.client.send({ ...hello, msgId: 'late' }, { timeoutMs: 300 })
  const next = alice.client.send({ ...hello, msgId: 'next' }, { timeoutMs: Infinity })
  await t.rejects(late, { code: 'MICS_SEND_TIMEOUT', message: /may have been sent.*late/, isPassing: true })
  await accepted.untilMessages(2)
  accepted.ack('late')
  accepted.ack('next')
  await next
  t.strictSame(alice.acks.map(({ msgId }) => msgId), ['late', 'next'], 'the late answer is only told')
})

t.test('a signal gives a message up, with its own reason', async t => {
  const { client } = new SdkClient(t, { url: 'ws://127.0.0.1:1' })
  const controller = new AbortController()
  const sent = client.send(hello, { signal: controller.signal })
  controller.abort(new Error('never mind'))
  await t.rejects(sent, { message: 'never mind' })
  t.equal(client.pending, 0)
  await t.rejects(client.send(hello, { signal: controller.signal }), { message: 'never mind' })
})

t.test('a gateway that takes smaller messages fails the one that is too large, and no other', async t => {
  const gateway = await startPatientGateway(t, { MAX_MESSAGE_BYTES: '1024' })
  const alice = new SdkClient(t, { url: wsUrl(gateway.url) })
  await alice.client.connect()
  const results = await Promise.allSettled([10, 100_000, 1024, 80_000, 1025].map(async length =>
    await alice.client.send({ toUserId: 'bob', body: new Uint8Array(length) })))
  t.match(results, [
    { status: 'fulfilled' },
    { reason: { code: 'MICS_BODY_TOO_LARGE', message: /100\d\d\d bytes/ } },
    { status: 'fulfilled' },
    { reason: { code: 'MICS_BODY_TOO_LARGE', message: /80\d\d\d bytes/ } },
    { reason: { code: 'MICS_MESSAGE_FAILED', ack: { reason: 'msg_body_too_large' }, isPassing: false } },
  ])
  t.strictSame(alice.errors, [])
})

t.test('one too large that was given up and sent again has two answers, and neither is another\'s', async t => {
  const gateway = await ScriptedGateway.start(t)
  const alice = new SdkClient(t, { url: gateway.url })
  alice.client.connect()
  const accepted = await gateway.letIn()
  const controller = new AbortController()
  const large = { toUserId: 'bob', body: new Uint8Array(5000), msgId: 'large' }
  const first = alice.client.send(large, { signal: controller.signal })
  const small = alice.client.send({ ...hello, msgId: 'small' })
  await accepted.untilMessages(2)
  controller.abort()
  await t.rejects(first, { name: 'AbortError' })
  const second = alice.client.send(large)
  await accepted.untilMessages(3)
  for (let i = 0; i < 2; i++) accepted.send({ case: 'error', value: { code: 4401, message: 'frame too large' } })
  accepted.ack('small')
  t.match(await small, { status: 'SENT' })
  await t.rejects(second, { code: 'MICS_BODY_TOO_LARGE' })
  t.strictSame(alice.errors, [])
})

t.test('the answer to one too large that was given up is not taken for another\'s', async t => {
  const gateway = await ScriptedGateway.start(t)
  const alice = new SdkClient(t, { url: gateway.url })
  alice.client.connect()
  const accepted = await gateway.letIn()
  const controller = new AbortController()
  const large = alice.client.send({ toUserId: 'bob', body: new Uint8Array(5000) }, { signal: controller.signal })
  const small = alice.client.send({ ...hello, msgId: 'small' })
  await accepted.untilMessages(2)
  controller.abort()
  await t.rejects(large, { name: 'AbortError' })
  accepted.send({ case: 'error', value: { code: 4401, message: 'frame too large' } })
  accepted.send({ case: 'error', value: { code: 4400, message: 'not a frame' } })
  accepted.ack('small')
  t.match(await small, { status: 'SENT' })
  t.match(alice.errors, [{ code: 'MICS_PROTOCOL_ERROR', message: /4400: not a frame/ }])
})
