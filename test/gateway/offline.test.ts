import t from 'tap'
import { AckStatus, body, MessageType, text, type TestClient } from '../helpers/client.js'
import { startPatientGateway as startGateway } from '../helpers/patient-gateway.js'
import { until } from '../helpers/until.js'

/** Sends numbered messages to bob, one after another. */
async function sendNumbered (from: TestClient, count: number): Promise<void> {
  for (let i = 0; i < count; i++) await from.sendAndAck({ toUserId: 'bob', msgBody: body(`${i}`) })
}

t.test('a message to an absent user waits, and is delivered after connect_ack, in order, once', async t => {
  const gateway = await startGateway(t)
  const alice = await gateway.connect('alice')
  const ack = await alice.sendAndAck({ toUserId: 'bob', msgBody: body('first') })
  t.match(ack, { status: AckStatus.SENT, reason: '', offlineBufferedUsers: 1, offlineSkippedUsers: 0, partialDelivery: false })
  await sendNumbered(alice, 9)
  t.equal(await gateway.metric('mics_offline_messages', { tenant: 't1' }), 10)

  const bob = await gateway.connect('bob')
  await bob.waitMessages(10)
  await alice.sendAndAck({ toUserId: 'bob', msgBody: body('live') })
  await bob.roundTrip()
  t.equal(bob.frames[0].payload.case, 'connectAck')
  t.same(bob.messages.map(text), ['first', '0', '1', '2', '3', '4', '5', '6', '7', '8', 'live'])
  t.match(bob.messages[0], { userId: 'alice', deviceId: 'd1', msgId: ack.msgId, toUserId: 'bob' })
  t.equal(await gateway.metric('mics_offline_messages'), 0)
  t.equal(await gateway.metric('mics_offline_bytes'), 0)
  t.equal(await gateway.metric('mics_offline_buffered_total', { tenant: 't1' }), 10)
  t.equal(await gateway.metric('mics_offline_delivered_total', { tenant: 't1' }), 10)

  await bob.close()
  const again = await gateway.connect('bob')
  await again.roundTrip()
  t.equal(again.messages.length, 0)
})

t.test('a group message waits for the members that are away', async t => {
  const gateway = await startGateway(t)
  gateway.hooks.groups.set('g', ['alice', 'bob', 'carol', 'dave'])
  const alice = await gateway.connect('alice')
  const carol = await gateway.connect('carol')
  const ack = await alice.sendAndAck({ msgType: MessageType.GROUP_CHAT, groupId: 'g', msgBody: body('hi') })
  t.match(ack, { status: AckStatus.SENT, offlineBufferedUsers: 2, offlineSkippedUsers: 0, partialDelivery: false })
  await carol.waitMessages(1)
  for (const user of ['bob', 'dave']) {
    const client = await gateway.connect(user)
    t.same((await client.waitMessages(1)).map(text), ['hi'])
  }
})

t.test('it goes to whichever device connects first, and to that one only', async t => {
  const gateway = await startGateway(t)
  const alice = await gateway.connect('alice')
  await sendNumbered(alice, 3)
  const laptop = await gateway.connect('bob', { deviceId: 'laptop' })
  t.same((await laptop.waitMessages(3)).map(text), ['0', '1', '2'])
  const phone = await gateway.connect('bob', { deviceId: 'phone' })
  await phone.roundTrip()
  t.equal(phone.messages.length, 0)
})

t.test('a message waits as long as its tenant wants', async t => {
  const gateway = await startGateway(t)
  gateway.hooks.config = { offlineBufferTtlSeconds: 1 }
  const alice = await gateway.connect('alice')
  gateway.hooks.config = {}
  const carol = await gateway.connect('carol', { tenantId: 't2' })
  await sendNumbered(alice, 2)
  await sendNumbered(carol, 2)
  const sentAt = Date.now()
  await until('the time is over', () => Date.now() > sentAt + 1000)
  const late = await gateway.connect('bob')
  await late.roundTrip()
  t.equal(late.messages.length, 0)
  t.equal(await gateway.metric('mics_offline_evicted_total', { tenant: 't1', reason: 'expired' }), 2)
  const inTime = await gateway.connect('bob', { tenantId: 't2' })
  await inTime.waitMessages(2)
})

t.test('of more than a user may have the newest are kept', async t => {
  const gateway = await startGateway(t, { OFFLINE_BUFFER_MAX_MESSAGES_PER_USER: '3' })
  const alice = await gateway.connect('alice')
  await sendNumbered(alice, 8)
  t.ok(alice.acks.every(({ status }) => status === AckStatus.SENT), 'the newest is never refused')
  const bob = await gateway.connect('bob')
  await bob.waitMessages(3)
  await bob.roundTrip()
  t.same(bob.messages.map(text), ['5', '6', '7'])
  t.equal(await gateway.metric('mics_offline_evicted_total', { tenant: 't1', reason: 'user_limit' }), 5)
})

t.test('with the buffer switched off, a message to an absent user fails', async t => {
  const gateway = await startGateway(t, { OFFLINE_BUFFER_MAX_MESSAGES_PER_USER: '0' })
  const alice = await gateway.connect('alice')
  t.match(await alice.sendAndAck({ toUserId: 'bob' }),
    { status: AckStatus.FAILED, reason: 'delivery failed', offlineSkippedUsers: 1 })
  const bob = await gateway.connect('bob')
  await alice.sendAndAck({ toUserId: 'bob', msgBody: body('live') })
  t.same((await bob.waitMessages(1)).map(text), ['live'])
})

t.test('a message that is too large for the buffer fails, one that fits does not', async t => {
  const gateway = await startGateway(t, { OFFLINE_BUFFER_MAX_BYTES_PER_USER: '1000' })
  const alice = await gateway.connect('alice')
  t.match(await alice.sendAndAck({ toUserId: 'bob', msgBody: Buffer.alloc(1001) }),
    { status: AckStatus.FAILED, reason: 'delivery failed' })
  t.match(await alice.sendAndAck({ toUserId: 'bob', msgBody: Buffer.alloc(1000) }), { status: AckStatus.SENT })
})

t.test('more than WS_MAX_BUFFERED_BYTES is delivered without closing the connection', async t => {
  const gateway = await startGateway(t, { WS_MAX_BUFFERED_BYTES: '16384' })
  const alice = await gateway.connect('alice')
  for (let i = 0; i < 100; i++) {
    await alice.sendAndAck({ toUserId: 'bob', msgId: `${i}`, msgBody: Buffer.alloc(9000, i) })
  }
  const bob = await gateway.connect('bob')
  t.same((await bob.waitMessages(100)).map(({ msgId }) => msgId), Array.from({ length: 100 }, (_, i) => `${i}`))
  await bob.roundTrip()
  t.equal(await gateway.metric('mics_outbound_overflows_total'), 0)
})

t.test('tenants do not get each other\'s messages', async t => {
  const gateway = await startGateway(t)
  const alice = await gateway.connect('alice')
  await sendNumbered(alice, 1)
  const other = await gateway.connect('bob', { tenantId: 't2' })
  await other.roundTrip()
  t.equal(other.messages.length, 0)
})

t.test('a note to oneself waits for another device, and never comes back to the one it is from', async t => {
  const gateway = await startGateway(t)
  const phone = await gateway.connect('bob', { deviceId: 'phone' })
  const ack = await phone.sendAndAck({ toUserId: 'bob', msgId: 'note', msgBody: body('milk') })
  t.match(ack, { status: AckStatus.SENT, offlineBufferedUsers: 1 })
  await phone.drop()
  const again = await gateway.connect('bob', { deviceId: 'phone' })
  await again.roundTrip()
  t.same(again.messages, [])
  const laptop = await gateway.connect('bob', { deviceId: 'laptop' })
  t.equal(text((await laptop.waitMessages(1))[0]), 'milk')
})

t.test('an expired message of somebody who never comes back leaves the memory', async t => {
  const gateway = await startGateway(t)
  gateway.hooks.config = { offlineBufferTtlSeconds: 1 }
  const alice = await gateway.connect('alice')
  await alice.sendAndAck({ toUserId: 'nobody', msgBody: body('x') })
  t.equal(await gateway.metric('mics_offline_messages'), 1)
  await until('it is swept', async () => await gateway.metric('mics_offline_messages') === 0)
  t.equal(await gateway.metric('mics_offline_evicted_total', { reason: 'expired' }), 1)
})
