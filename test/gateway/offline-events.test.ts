import t, { type Test } from 'tap'
import { AckReason } from '../../lib/protocol/server-errors.js'
import { AckStatus, MessageType } from '../helpers/client.js'
import type { TestGateway } from '../helpers/gateway.js'
import { OfflineEventRecorder } from '../helpers/offline-events.js'
import { startPatientGateway } from '../helpers/patient-gateway.js'

/** A gateway whose tenants keep offline messages themselves, and what it announces to them. */
async function announcingGateway (
  t: Test, env: NodeJS.ProcessEnv = {}
): Promise<TestGateway & { events: OfflineEventRecorder }> {
  const gateway = await startPatientGateway(t, env)
  gateway.hooks.config = { offlineUseHookPull: true }
  return { ...gateway, events: new OfflineEventRecorder(gateway.server.app) }
}

t.test('a message for a user who is not connected is announced, and takes no place in the buffer', async t => {
  const gateway = await announcingGateway(t)
  const alice = await gateway.connect('alice')
  t.match(await alice.sendAndAck({ toUserId: 'bob', msgId: 'm1' }), {
    status: AckStatus.SENT,
    reason: '',
    partialDelivery: false,
    offlineNotifiedUsers: 1,
    offlineBufferedUsers: 0,
    offlineSkippedUsers: 0,
  })
  t.same(gateway.events.announced, [{ msgId: 'm1', fromUserId: 'alice', userId: 'bob' }])
  t.equal(await gateway.metric('mics_offline_messages'), 0)
  t.equal(await gateway.metric('mics_deliveries_total', { tenant: 't1', path: 'offline_event' }), 1)

  const bob = await gateway.connect('bob')
  await bob.roundTrip()
  t.same(bob.messages, [], 'it is the tenant who has it now')
})

t.test('a repeat of an announced message is a duplicate, and not announced again', async t => {
  const gateway = await announcingGateway(t)
  const alice = await gateway.connect('alice')
  await alice.sendAndAck({ toUserId: 'bob', msgId: 'm1' })
  t.match(await alice.sendAndAck({ toUserId: 'bob', msgId: 'm1' }), { status: AckStatus.SENT, reason: AckReason.DUPLICATE })
  t.equal(gateway.events.announced.length, 1)
})

t.test('who is connected gets the message, and nothing is announced', async t => {
  const gateway = await announcingGateway(t)
  const alice = await gateway.connect('alice')
  const bob = await gateway.connect('bob')
  t.match(await alice.sendAndAck({ toUserId: 'bob' }), { status: AckStatus.SENT, offlineNotifiedUsers: 0 })
  await bob.waitMessages(1)
  t.same(gateway.events.announced, [])
})

t.test('a tenant that does not keep offline messages itself is told of none', async t => {
  const gateway = await announcingGateway(t)
  gateway.hooks.config = {}
  const alice = await gateway.connect('alice')
  t.match(await alice.sendAndAck({ toUserId: 'bob' }), { offlineNotifiedUsers: 0, offlineBufferedUsers: 1 })
  t.same(gateway.events.announced, [])
})

t.test('where the event finds no room the buffer has the message', async t => {
  const gateway = await announcingGateway(t)
  gateway.events.room = 0
  const alice = await gateway.connect('alice')
  t.match(await alice.sendAndAck({ toUserId: 'bob', msgId: 'm1' }), {
    status: AckStatus.SENT, offlineNotifiedUsers: 0, offlineBufferedUsers: 1,
  })
  const bob = await gateway.connect('bob')
  t.match(await bob.waitMessages(1), [{ msgId: 'm1' }])
})

t.test('where neither the events nor the buffer have room the message fails', async t => {
  const gateway = await announcingGateway(t, { OFFLINE_BUFFER_MAX_MESSAGES_PER_USER: '0' })
  gateway.events.room = 0
  const alice = await gateway.connect('alice')
  t.match(await alice.sendAndAck({ toUserId: 'bob' }), {
    status: AckStatus.FAILED, reason: AckReason.DELIVERY_FAILED, offlineSkippedUsers: 1,
  })
})

t.test('messages that wait in the buffer keep no later one from being announced', async t => {
  const gateway = await announcingGateway(t)
  gateway.events.room = 0
  const alice = await gateway.connect('alice')
  await alice.sendAndAck({ toUserId: 'bob', msgId: 'buffered' })
  gateway.events.room = 1
  t.match(await alice.sendAndAck({ toUserId: 'bob', msgId: 'announced' }), { offlineNotifiedUsers: 1, offlineBufferedUsers: 0 })

  // The order that a client sees: what the tenant kept, then what the gateway did.
  gateway.hooks.offline = () => ({
    ok: true, messages: [{ userId: 'alice', deviceId: 'd1', msgId: 'announced', toUserId: 'bob' }],
  })
  const bob = await gateway.connect('bob')
  await bob.waitMessages(2)
  t.same(bob.messages.map(({ msgId }) => msgId), ['announced', 'buffered'])
})

t.test('of a group each member who is away is announced, and the sender\'s own other devices are not', async t => {
  const gateway = await announcingGateway(t, { GROUP_ROUTE_CHUNK_SIZE: '2' })
  gateway.hooks.groups.set('g', ['alice', 'bob', 'carol', 'dora', 'erik'])
  const alice = await gateway.connect('alice')
  const carol = await gateway.connect('carol')
  t.match(await alice.sendAndAck({ msgType: MessageType.GROUP_CHAT, groupId: 'g', msgId: 'm1' }), {
    status: AckStatus.SENT, partialDelivery: false, offlineNotifiedUsers: 3, offlineBufferedUsers: 0,
  })
  await carol.waitMessages(1)
  t.same(gateway.events.announced.map(({ userId }) => userId), ['bob', 'dora', 'erik'])
})

t.test('the bound of the buffer is none of the events; what they refuse falls back to it, and the rest is skipped', async t => {
  const gateway = await announcingGateway(t, { GROUP_OFFLINE_BUFFER_MAX_USERS: '2' })
  gateway.hooks.groups.set('g', Array.from({ length: 9 }, (_, i) => `away${i}`))
  const alice = await gateway.connect('alice')
  const toGroup = { msgType: MessageType.GROUP_CHAT, groupId: 'g' }
  t.match(await alice.sendAndAck(toGroup), {
    partialDelivery: false, offlineNotifiedUsers: 9, offlineBufferedUsers: 0, offlineSkippedUsers: 0,
  })
  gateway.events.room = 4
  t.match(await alice.sendAndAck(toGroup), {
    partialDelivery: true, offlineNotifiedUsers: 4, offlineBufferedUsers: 2, offlineSkippedUsers: 3,
  })
  t.equal(await gateway.metric('mics_offline_skipped_total', { tenant: 't1' }), 3)
})

t.test('what a connection that broke had not taken waits in the buffer: a device had it on its way', async t => {
  const gateway = await announcingGateway(t)
  const alice = await gateway.connect('alice')
  let answer = (): void => {}
  const gone = new Promise<void>(resolve => { answer = resolve })
  gateway.hooks.offline = async ({ userId }) => {
    if (userId === 'bob') await gone
    return { ok: true }
  }
  // Live messages that wait for the pull are the next connection's when this one ends.
  const pulling = await gateway.connect('bob')
  t.match(await alice.sendAndAck({ toUserId: 'bob', msgId: 'm1' }), { offlineNotifiedUsers: 0, offlineBufferedUsers: 0 })
  await pulling.close()
  answer()
  const back = await gateway.connect('bob')
  t.match(await back.waitMessages(1), [{ msgId: 'm1' }])
  t.same(gateway.events.announced, [])
})

t.test('a note to oneself waits in the buffer for another device, and is not announced', async t => {
  const gateway = await announcingGateway(t)
  const alice = await gateway.connect('alice', { deviceId: 'phone' })
  t.match(await alice.sendAndAck({ toUserId: 'alice', msgId: 'note' }), { offlineNotifiedUsers: 0, offlineBufferedUsers: 1 })
  t.same(gateway.events.announced, [])
  const laptop = await gateway.connect('alice', { deviceId: 'laptop' })
  t.match(await laptop.waitMessages(1), [{ msgId: 'note' }])
})
