import type { Test } from 'tap'
import { AckStatus, body, MessageType, text } from '../helpers/client.js'
import type { TestCluster } from './test-cluster.js'

const GROUP_SIZE = 300

/** What people do, on three nodes: it must work the same on every kind of Redis. */
export async function chatSuite (t: Test, cluster: TestCluster): Promise<void> {
  const [first, second, third] = cluster.nodes

  await t.test('one to one, both ways', async t => {
    const alice = await cluster.connect(first, 'alice')
    const bob = await cluster.connect(second, 'bob')
    t.match(await alice.sendAndAck({ toUserId: 'bob', msgBody: body('ping') }), { status: AckStatus.SENT, reason: '' })
    t.strictSame((await bob.waitMessages(1)).map(text), ['ping'])
    t.match(await bob.sendAndAck({ toUserId: 'alice', msgBody: body('pong') }), { status: AckStatus.SENT, reason: '' })
    t.match(await alice.waitMessages(1), [{ userId: 'bob', deviceId: 'd1', toUserId: 'alice' }])
    for (let i = 0; i < 50; i++) alice.send({ toUserId: 'bob', msgId: `row${i}`, msgBody: body(String(i)) })
    t.strictSame((await bob.waitMessages(51)).slice(1).map(text), Array.from({ length: 50 }, (_, i) => String(i)))
  })

  await t.test('every device of the recipient gets it, wherever it is, and so do the sender\'s others', async t => {
    const dora = await cluster.connect(first, 'dora')
    const devices = [
      await cluster.connect(first, 'erik', { deviceId: 'e1' }),
      await cluster.connect(second, 'erik', { deviceId: 'e2' }),
    ]
    await dora.sendAndAck({ toUserId: 'erik', msgBody: body('two') })
    for (const device of devices) await device.waitMessages(1)
    // The route that dora's node has in its cache does not know of this one.
    devices.push(await cluster.connect(third, 'erik', { deviceId: 'e3' }))
    const other = await cluster.connect(third, 'dora', { deviceId: 'd2' })
    await dora.sendAndAck({ toUserId: 'erik', msgBody: body('three') })
    t.strictSame((await devices[2].waitMessages(1)).map(text), ['three'])
    t.strictSame((await other.waitMessages(1)).map(text), ['three'])
    for (const device of devices.slice(0, 2)) t.strictSame((await device.waitMessages(2)).map(text), ['two', 'three'])
    await dora.roundTrip()
    t.strictSame(dora.messages, [], 'not the device it came from')
  })

  await t.test(`a group of ${GROUP_SIZE} spread over the nodes`, async t => {
    const members = Array.from({ length: GROUP_SIZE }, (_, i) => `member${i}`)
    cluster.hooks.groups.set('all', members)
    const clients = []
    for (let i = 0; i < GROUP_SIZE; i += 30) {
      clients.push(...await Promise.all(members.slice(i, i + 30).map(async (user, j) =>
        await cluster.connect(cluster.nodes[(i + j) % 3], user))))
    }
    const [sender, ...others] = clients
    t.match(await sender.sendAndAck({ msgType: MessageType.GROUP_CHAT, groupId: 'all', msgBody: body('hear, hear') }),
      { status: AckStatus.SENT, reason: '', offlineBufferedUsers: 0, offlineSkippedUsers: 0 })
    for (const client of others) await client.waitMessages(1)
    t.strictSame(new Set(others.map(({ messages }) => messages.map(text).join())), new Set(['hear, hear']))
    const forwarded = await first.metric('mics_peer_items_total', { kind: 'deliver' })
    await sender.sendAndAck({ msgType: MessageType.GROUP_CHAT, groupId: 'all', msgBody: body('again') })
    t.equal(await first.metric('mics_peer_items_total', { kind: 'deliver' }) - forwarded, 2, 'once for each other node')
    await clients.at(-1)?.close()
    t.match(await sender.sendAndAck({ msgType: MessageType.GROUP_CHAT, groupId: 'all', msgBody: body('without you') }),
      { status: AckStatus.SENT, offlineBufferedUsers: 1 })
  })

  await t.test('a device that connects to another node replaces its connection, and nothing is lost', async t => {
    const fred = await cluster.connect(first, 'fred')
    const before = await cluster.connect(second, 'gina')
    await fred.sendAndAck({ toUserId: 'gina', msgBody: body('one') })
    const after = await cluster.connect(third, 'gina')
    t.match(await before.closed, { code: 4409, reason: /replaced/ })
    t.match(await fred.sendAndAck({ toUserId: 'gina', msgBody: body('two') }), { status: AckStatus.SENT, offlineBufferedUsers: 0 })
    t.strictSame((await after.waitMessages(1)).map(text), ['two'])
    t.strictSame(before.messages.map(text), ['one'])
    const back = await cluster.connect(second, 'gina')
    t.match(await after.closed, { code: 4409 })
    await fred.sendAndAck({ toUserId: 'gina', msgBody: body('three') })
    t.strictSame((await back.waitMessages(1)).map(text), ['three'])
  })

  await t.test('what was missed offline is delivered at whichever node, in order and once', async t => {
    const senders = await Promise.all(cluster.nodes.map(async (node, i) => await cluster.connect(node, `sender${i}`)))
    for (let i = 0; i < 12; i++) {
      t.match(await senders[i % 3].sendAndAck({ toUserId: 'hugo', msgBody: body(String(i)) }),
        { status: AckStatus.SENT, offlineBufferedUsers: 1 })
    }
    const hugo = await cluster.connect(second, 'hugo')
    await senders[0].sendAndAck({ toUserId: 'hugo', msgBody: body('live') })
    t.strictSame((await hugo.waitMessages(13)).map(text), [...Array.from({ length: 12 }, (_, i) => String(i)), 'live'])
    await hugo.close()
    const again = await cluster.connect(third, 'hugo')
    await again.roundTrip()
    t.strictSame(again.messages, [])
    t.equal(await cluster.metric('mics_offline_messages', { tenant: 't1' }) > 0, true, 'others still wait')
  })

  await t.test('a message sent again through another node is a duplicate', async t => {
    const ida = await cluster.connect(first, 'ida')
    const jan = await cluster.connect(second, 'jan')
    await ida.sendAndAck({ toUserId: 'jan', msgId: 'same', msgBody: body('once') })
    const moved = await cluster.connect(third, 'ida')
    t.match(await moved.sendAndAck({ toUserId: 'jan', msgId: 'same', msgBody: body('once') }),
      { status: AckStatus.SENT, reason: 'duplicate' })
    t.match(await moved.sendAndAck({ toUserId: 'jan', msgId: 'same', msgBody: body('other') }),
      { status: AckStatus.FAILED, reason: 'msg_id conflict' })
    await jan.roundTrip()
    t.strictSame(jan.messages.map(text), ['once'])
  })

  await t.test('connection limits of user and tenant hold for all nodes together', async t => {
    cluster.hooks.config = { userMaxConnections: 2, tenantMaxConnections: 4 }
    t.teardown(() => { cluster.hooks.config = {} })
    const connect = async (i: number, user: string, deviceId: string) =>
      await cluster.connect(cluster.nodes[i], user, { tenantId: 't2', deviceId })
    await connect(0, 'kim', 'k1')
    const second = await connect(1, 'kim', 'k2')
    await t.rejects(connect(2, 'kim', 'k3'), /4429 connection limit of the user/)
    await connect(2, 'lea', 'l1')
    await connect(0, 'max', 'm1')
    await t.rejects(connect(1, 'nia', 'n1'), /4429 connection limit of the tenant/)
    const again = await connect(2, 'kim', 'k2')
    t.match(await second.closed, { code: 4409 }, 'a device takes its own place again')
    await again.close()
    await connect(1, 'nia', 'n1')
  })
}
