import t from 'tap'
import type { MessageRequest } from '../../lib/gen/mics/message/v1/message_pb.js'
import { AckStatus, MessageType } from '../helpers/client.js'
import { startGateway, type TestGateway } from '../helpers/gateway.js'
import { PATIENT } from './hook-operations.js'

/** What the check hook is shown from now on. */
function seenByCheck (gateway: TestGateway): MessageRequest[] {
  const seen: MessageRequest[] = []
  gateway.hooks.check = ({ message }) => {
    seen.push(message!)
    return { allow: true }
  }
  return seen
}

t.test('a client cannot speak for another, neither to recipients nor to the check hook', async t => {
  const gateway = await startGateway(t, {}, PATIENT)
  const seen = seenByCheck(gateway)
  gateway.hooks.groups.set('g', ['bob'])
  const [mallory, bob, alice] = await Promise.all(['mallory', 'bob', 'alice'].map(async user => await gateway.connect(user)))
  const otherBob = await gateway.connect('bob', { tenantId: 't2' })
  const forged = { tenantId: 't2', userId: 'alice', deviceId: 'hers' }
  const own = { tenantId: 't1', userId: 'mallory', deviceId: 'd1' }
  t.equal((await mallory.sendAndAck({ ...forged, toUserId: 'bob' })).status, AckStatus.SENT)
  t.equal((await mallory.sendAndAck({ ...forged, msgType: MessageType.GROUP_CHAT, groupId: 'g' })).status, AckStatus.SENT)
  for (const message of await bob.waitMessages(2)) t.match(message, own)
  t.equal(seen.length, 2)
  for (const message of seen) t.match(message, own)
  t.same(gateway.hooks.callsOf('check-message').map(({ meta }) => meta.tenantId), ['t1', 't1'])
  await Promise.all([otherBob.roundTrip(), alice.roundTrip()])
  t.same([otherBob.messages, alice.messages], [[], []], 'not another tenant\'s bob, nor a device of the one spoken for')
})

t.test('who a client is, the auth hook says', async t => {
  const gateway = await startGateway(t, {}, PATIENT)
  const seen = seenByCheck(gateway)
  gateway.hooks.auth = ({ token }) => token === 'valid:bob'
    ? { ok: true, userId: 'bob' }
    : { ok: true, userId: 'alice-4711', deviceId: 'device-4711' }
  const [alice, bob] = [await gateway.connect('alice', { deviceId: 'd' }), await gateway.connect('bob', { deviceId: 'd' })]
  t.match(await alice.connectAck(), { code: 1000, tenantId: 't1', userId: 'alice-4711', deviceId: 'device-4711', nodeId: 'node-1' })
  t.match(await bob.connectAck(), { userId: 'bob', deviceId: 'd' }, 'its own device id where the hook has none')
  await alice.sendAndAck({ toUserId: 'bob' })
  const shown = { userId: 'alice-4711', deviceId: 'device-4711' }
  t.match((await bob.waitMessages(1))[0], shown)
  t.match(seen[0], shown)
})

t.test('an empty msg_id gets a new one: the same in ack, delivery and check', async t => {
  const gateway = await startGateway(t, {}, PATIENT)
  const seen = seenByCheck(gateway)
  const [alice, bob] = await Promise.all([gateway.connect('alice'), gateway.connect('bob')])
  alice.send({ msgId: '', toUserId: 'bob' })
  alice.send({ msgId: '', toUserId: 'bob' })
  const ids = (await alice.waitAcks(2)).map(({ msgId }) => msgId)
  t.ok(ids.every(id => id !== ''))
  t.equal(new Set(ids).size, 2, 'equal messages without an id are two messages')
  t.same((await bob.waitMessages(2)).map(({ msgId }) => msgId), ids)
  t.same(new Set(seen.map(({ msgId }) => msgId)), new Set(ids))
})

t.test('a zero timestamp gets the server\'s time, a given one is kept', async t => {
  const gateway = await startGateway(t, {}, PATIENT)
  const seen = seenByCheck(gateway)
  const [alice, bob] = await Promise.all([gateway.connect('alice'), gateway.connect('bob')])
  const before = BigInt(Date.now())
  const ack = await alice.sendAndAck({ toUserId: 'bob', timestampMs: 0n })
  for (const timestampMs of [1n, -5n, 2n ** 63n - 1n]) await alice.sendAndAck({ toUserId: 'bob', timestampMs })
  const after = BigInt(Date.now())
  const times = (await bob.waitMessages(4)).map(({ timestampMs }) => timestampMs)
  t.ok(times[0] >= before && times[0] <= after)
  t.ok(ack.timestampMs >= before && ack.timestampMs <= after, 'the ack has the server\'s time')
  t.same(times.slice(1), [1n, -5n, 2n ** 63n - 1n])
  t.same(seen.map(({ timestampMs }) => timestampMs), times)
})

t.test('what the client sends besides gets to the recipient and the check as it is', async t => {
  const gateway = await startGateway(t, {}, PATIENT)
  const seen = seenByCheck(gateway)
  const [alice, bob] = await Promise.all([gateway.connect('alice'), gateway.connect('bob')])
  const message = { msgId: 'ü-1', toUserId: 'bob', groupId: 'beside', msgBody: Uint8Array.from({ length: 256 }, (_, byte) => byte) }
  await alice.sendAndAck(message)
  await bob.waitMessages(1)
  for (const got of [bob.messages[0], seen[0]]) {
    t.match(got, { msgId: 'ü-1', toUserId: 'bob', groupId: 'beside', msgType: MessageType.SINGLE_CHAT })
    t.ok(Buffer.from(got.msgBody).equals(message.msgBody))
  }
})
