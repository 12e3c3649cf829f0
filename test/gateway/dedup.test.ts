import t from 'tap'
import { atOnce } from '../helpers/at-once.js'
import { AckStatus, body, MessageType, text } from '../helpers/client.js'
import { startPatientGateway as startGateway } from '../helpers/patient-gateway.js'
import { until } from '../helpers/until.js'

t.test('a repeat is acked as a duplicate and not delivered again', async t => {
  const gateway = await startGateway(t)
  const alice = await gateway.connect('alice')
  const bob = await gateway.connect('bob')
  t.match(await alice.sendAndAck({ msgId: 'm', toUserId: 'bob', msgBody: body('hello') }),
    { status: AckStatus.SENT, reason: '' })
  for (const timestampMs of [0n, 1n]) {
    t.match(await alice.sendAndAck({ msgId: 'm', toUserId: 'bob', msgBody: body('hello'), timestampMs }),
      { status: AckStatus.SENT, reason: 'duplicate' })
  }
  await bob.roundTrip()
  t.equal(bob.messages.length, 1)
  t.equal(await gateway.metric('mics_dedup_hits_total', { tenant: 't1', kind: 'duplicate' }), 2)
  t.equal(await gateway.metric('mics_acks_total', { tenant: 't1', outcome: 'duplicate' }), 2)
  t.equal(gateway.hooks.callsOf('check-message').length, 1, 'nor checked again')
})

t.test('a repeat after reconnecting is a duplicate: the lost ack is why a client sends again', async t => {
  const gateway = await startGateway(t)
  const bob = await gateway.connect('bob')
  const before = await gateway.connect('alice')
  await before.sendAndAck({ msgId: 'm', toUserId: 'bob' })
  await before.drop()
  const after = await gateway.connect('alice')
  t.match(await after.sendAndAck({ msgId: 'm', toUserId: 'bob' }), { status: AckStatus.SENT, reason: 'duplicate' })
  await bob.roundTrip()
  t.equal(bob.messages.length, 1)
})

t.test('the same id of another user, another device or another tenant is no duplicate', async t => {
  const gateway = await startGateway(t)
  const bob = await gateway.connect('bob')
  const bobOfT2 = await gateway.connect('bob', { tenantId: 't2' })
  const senders = [
    await gateway.connect('alice'),
    await gateway.connect('carol'),
    await gateway.connect('alice', { deviceId: 'd2' }),
    await gateway.connect('alice', { tenantId: 't2' }),
  ]
  for (const sender of senders) {
    t.match(await sender.sendAndAck({ msgId: 'm', toUserId: 'bob' }), { status: AckStatus.SENT, reason: '' })
  }
  await bob.roundTrip()
  t.same(bob.messages.map(({ userId, deviceId }) => `${userId} ${deviceId}`), ['alice d1', 'carol d1', 'alice d2'])
  await bobOfT2.waitMessages(1)
})

t.test('a retry after FAILED is processed', async t => {
  const gateway = await startGateway(t)
  const alice = await gateway.connect('alice')
  const bob = await gateway.connect('bob')
  gateway.hooks.check = () => ({ allow: false, reason: 'not now' })
  for (let i = 0; i < 2; i++) {
    t.match(await alice.sendAndAck({ msgId: 'm', toUserId: 'bob' }), { status: AckStatus.FAILED, reason: 'not now' })
  }
  gateway.hooks.check = () => ({ allow: true })
  t.match(await alice.sendAndAck({ msgId: 'm', toUserId: 'bob' }), { status: AckStatus.SENT, reason: '' })
  await bob.waitMessages(1)
})

t.test('a group message that failed for its members is processed when it comes again', async t => {
  const gateway = await startGateway(t)
  const alice = await gateway.connect('alice')
  const bob = await gateway.connect('bob')
  const message = { msgId: 'm', msgType: MessageType.GROUP_CHAT, groupId: 'g' }
  t.match(await alice.sendAndAck(message), { status: AckStatus.FAILED, reason: 'group members empty' })
  gateway.hooks.groups.set('g', ['alice', 'bob'])
  t.match(await alice.sendAndAck(message), { status: AckStatus.SENT, reason: '' })
  await bob.waitMessages(1)
  t.match(await alice.sendAndAck(message), { status: AckStatus.SENT, reason: 'duplicate' })
})

t.test('two at once are one delivery and two acks', async t => {
  const gateway = await startGateway(t)
  const alice = await gateway.connect('alice')
  const bob = await gateway.connect('bob')
  atOnce(alice, () => {
    for (let i = 0; i < 3; i++) alice.send({ msgId: 'm', toUserId: 'bob', msgBody: body('hello') })
  })
  const acks = await alice.waitAcks(3)
  t.same(acks.map(({ status }) => status), [AckStatus.SENT, AckStatus.SENT, AckStatus.SENT])
  t.same(acks.map(({ reason }) => reason), ['', 'duplicate', 'duplicate'])
  await bob.roundTrip()
  t.equal(bob.messages.length, 1)
  t.equal(gateway.hooks.callsOf('check-message').length, 1)
  t.equal(await gateway.metric('mics_dedup_hits_total', { kind: 'in_flight' }), 2)
})

t.test('two at once fail together, and leave no trace', async t => {
  const gateway = await startGateway(t)
  const alice = await gateway.connect('alice')
  const bob = await gateway.connect('bob')
  gateway.hooks.check = () => ({ allow: false, reason: 'spam' })
  atOnce(alice, () => {
    for (let i = 0; i < 2; i++) alice.send({ msgId: 'm', toUserId: 'bob' })
  })
  const acks = await alice.waitAcks(2)
  t.same(acks.map(({ status, reason }) => [status, reason]), [[AckStatus.FAILED, 'spam'], [AckStatus.FAILED, 'spam']])
  gateway.hooks.check = () => ({ allow: true })
  t.match(await alice.sendAndAck({ msgId: 'm', toUserId: 'bob' }), { status: AckStatus.SENT, reason: '' })
  await bob.waitMessages(1)
})

t.test('a repeat from the connection that took over waits for the message of the one before', async t => {
  const gateway = await startGateway(t)
  const bob = await gateway.connect('bob')
  const before = await gateway.connect('alice')
  // Held until the repeat has come.
  let repeated = (): void => {}
  const repeat = new Promise<void>(resolve => { repeated = resolve })
  gateway.hooks.check = async () => {
    await repeat
    return { allow: true }
  }
  before.send({ msgId: 'm', toUserId: 'bob' })
  await until('the check', () => gateway.hooks.callsOf('check-message').length === 1)
  const after = await gateway.connect('alice')
  const ack = after.sendAndAck({ msgId: 'm', toUserId: 'bob' })
  await until('the repeat', async () => await gateway.metric('mics_dedup_hits_total') === 1)
  repeated()
  t.match(await ack, { status: AckStatus.SENT, reason: 'duplicate' })
  await bob.roundTrip()
  t.equal(bob.messages.length, 1)
})

t.test('the same id with other content is a conflict, before and after the first was sent', async t => {
  const gateway = await startGateway(t)
  gateway.hooks.groups.set('g', ['alice', 'bob'])
  const alice = await gateway.connect('alice')
  const bob = await gateway.connect('bob')
  atOnce(alice, () => {
    alice.send({ msgId: 'm', toUserId: 'bob', msgBody: body('one') })
    alice.send({ msgId: 'm', toUserId: 'bob', msgBody: body('two') })
  })
  const acks = await alice.waitAcks(2)
  t.same(acks.map(({ reason }) => reason).sort(), ['', 'msg_id conflict'])
  const conflict = { status: AckStatus.FAILED, reason: 'msg_id conflict' }
  t.match(await alice.sendAndAck({ msgId: 'm', toUserId: 'bob', msgBody: body('two') }), conflict)
  t.match(await alice.sendAndAck({ msgId: 'm', toUserId: 'carol', msgBody: body('one') }), conflict)
  t.match(await alice.sendAndAck({
    msgId: 'm', msgType: MessageType.GROUP_CHAT, groupId: 'g', toUserId: 'bob', msgBody: body('one'),
  }), conflict)
  await bob.roundTrip()
  t.same(bob.messages.map(text), ['one'])
  t.equal(await gateway.metric('mics_dedup_hits_total', { kind: 'conflict' }), 4)
})

t.test('messages without an id are all new, and get ids of their own', async t => {
  const gateway = await startGateway(t)
  const alice = await gateway.connect('alice')
  const bob = await gateway.connect('bob')
  for (let i = 0; i < 2; i++) alice.send({ msgId: '', toUserId: 'bob', msgBody: body('same') })
  const acks = await alice.waitAcks(2)
  const messages = await bob.waitMessages(2)
  t.same(acks.map(({ reason }) => reason), ['', ''])
  t.same(messages.map(({ msgId }) => msgId).sort(), acks.map(({ msgId }) => msgId).sort())
  t.equal(new Set(acks.map(({ msgId }) => msgId)).size, 2)
})
