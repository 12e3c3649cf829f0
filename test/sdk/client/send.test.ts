import t from 'tap'
import { startPatientGateway } from '../../helpers/patient-gateway.js'
import { until } from '../../helpers/until.js'
import { ScriptedGateway } from './scripted-gateway.js'
import { SdkClient, wsUrl } from './sdk-client.js'

t.test('to a user, and to a group', async t => {
  const gateway = await startPatientGateway(t)
  const url = wsUrl(gateway.url)
  gateway.hooks.groups.set('team', ['alice', 'bob', 'carol'])
  const alice = new SdkClient(t, { url })
  const phone = new SdkClient(t, { url, deviceId: 'd2' })
  const bob = new SdkClient(t, { url, token: 'valid:bob' })
  for (const { client } of [alice, phone, bob]) await client.connect()
  const ack = await alice.client.send({ groupId: 'team', body: new Uint8Array([0, 255]), timestampMs: 1234 })
  t.match(ack, { status: 'SENT', offlineBufferedUsers: 1, msgId: /^[0-9A-HJKMNP-TV-Z]{26}$/ })
  await bob.until(() => bob.messages.length === 1)
  t.match(bob.messages, [{ msgId: ack.msgId, groupId: 'team', toUserId: '', body: new Uint8Array([0, 255]), text: '\0\ufffd', timestampMs: 1234 }])
  await phone.until(() => phone.messages.length === 1)
  t.match(phone.messages, [{ isOwn: true, userId: 'alice', deviceId: 'd1' }])
  t.match(await alice.client.send({ toUserId: 'bob', body: 'again', msgId: 'mine' }), { msgId: 'mine', reason: '' })
  t.match(await alice.client.send({ toUserId: 'bob', body: 'again', msgId: 'mine' }), { msgId: 'mine', reason: 'duplicate' })
  t.equal(alice.acks.length, 3)
})

t.test('what the gateway fails rejects with its reason, and says whether to try again', async t => {
  const gateway = await startPatientGateway(t)
  const alice = new SdkClient(t, { url: wsUrl(gateway.url) })
  await alice.client.connect()
  gateway.hooks.check = () => ({ allow: false, reason: 'not here' })
  await t.rejects(alice.client.send({ toUserId: 'bob', body: 'hi' }),
    { code: 'MICS_MESSAGE_FAILED', message: /not here/, isPassing: false, ack: { status: 'FAILED', reason: 'not here' } })
  gateway.hooks.raw.set('get-group-members', response => response.writeHead(500).end())
  gateway.hooks.check = () => ({ allow: true })
  await t.rejects(alice.client.send({ groupId: 'team', body: 'hi' }),
    { code: 'MICS_MESSAGE_FAILED', isPassing: true, ack: { reason: 'group members unavailable' } })
  t.match(alice.acks, [{ status: 'FAILED' }, { status: 'FAILED' }])
  t.equal(alice.client.pending, 0)
})

t.test('many at once are delivered in the order of the calls', async t => {
  const gateway = await startPatientGateway(t)
  const url = wsUrl(gateway.url)
  const alice = new SdkClient(t, { url })
  const bob = new SdkClient(t, { url, token: 'valid:bob' })
  await bob.client.connect()
  const bodies = Array.from({ length: 300 }, (_, i) => `${i}`)
  const sent = bodies.map(async body => await alice.client.send({ toUserId: 'bob', body }))
  t.equal(alice.client.pending, 300, 'before it is connected they wait')
  alice.client.connect()
  await Promise.all(sent)
  await bob.until(() => bob.messages.length === 300)
  t.strictSame(bob.texts, bodies)
  t.equal(alice.client.pending, 0)
})

t.test('no more than maxInFlight are on their way', async t => {
  const gateway = await ScriptedGateway.start(t)
  const alice = new SdkClient(t, { url: gateway.url, maxInFlight: 3 })
  alice.client.connect()
  const accepted = await gateway.letIn()
  const sent = ['a', 'b', 'c', 'd', 'e'].map(async msgId => await alice.client.send({ toUserId: 'bob', body: '', msgId }))
  await accepted.untilMessages(3)
  // It leaves in an orderly way: whatever was sent is here before the close.
  alice.client.reconnect()
  await accepted.closed
  t.strictSame(accepted.messages.map(({ msgId }) => msgId), ['a', 'b', 'c'])
  const second = await gateway.letIn()
  for (const [i, msgId] of ['a', 'b', 'c', 'd', 'e'].entries()) {
    await second.untilMessages(i + 1)
    second.ack(msgId)
  }
  t.strictSame((await Promise.all(sent)).map(({ msgId }) => msgId), ['a', 'b', 'c', 'd', 'e'])
})

t.test('close() rejects what waits, and the gateway hears a normal end', async t => {
  const gateway = await ScriptedGateway.start(t)
  const alice = new SdkClient(t, { url: gateway.url })
  alice.client.connect()
  const accepted = await gateway.letIn()
  const sent = alice.client.send({ toUserId: 'bob', body: 'hi' })
  await accepted.untilMessages(1)
  const closed = alice.client.close()
  await t.rejects(sent, { code: 'MICS_CLIENT_CLOSED' })
  t.strictSame(alice.client.state, { name: 'offline' })
  await closed
  t.equal(await accepted.closed, 1000)
  await t.rejects(alice.client.send({ toUserId: 'bob', body: 'hi' }), { code: 'MICS_CLIENT_CLOSED' })
  const connected = alice.client.connect()
  await gateway.letIn()
  await connected
  const late = alice.client.connect()
  alice.client.close()
  t.match(await late, { userId: 'alice' })
  const never = alice.client.connect()
  alice.client.close()
  await t.rejects(never, { code: 'MICS_CLIENT_CLOSED' })
})

t.test('messages that were on their way still arrive while it closes', async t => {
  const gateway = await startPatientGateway(t)
  const url = wsUrl(gateway.url)
  const alice = new SdkClient(t, { url })
  await alice.client.connect()
  const bob = await gateway.connect('bob')
  for (let i = 0; i < 20; i++) await bob.sendAndAck({ toUserId: 'alice', msgBody: Buffer.from(`${i}`) })
  await alice.client.close()
  await until('all are here', () => alice.messages.length === 20)
})
