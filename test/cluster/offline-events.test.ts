import t, { type Test } from 'tap'
import { homeOf } from '../../lib/offline/home.js'
import { AckStatus, MessageType } from '../helpers/client.js'
import { startMemoryNodes, type MemoryNode } from '../helpers/memory-nodes.js'
import { OfflineEventRecorder } from '../helpers/offline-events.js'
import { until } from '../helpers/until.js'

interface AnnouncingNode extends MemoryNode {
  events: OfflineEventRecorder
}

/** Two nodes whose tenant keeps offline messages itself, and what each of them announces. */
async function announcingNodes (t: Test): Promise<AnnouncingNode[]> {
  // Routes are remembered for longer than a test takes.
  const nodes = await startMemoryNodes(t, ['a', 'b'], { LOCAL_ROUTE_CACHE_TTL_SECONDS: '60' })
  nodes[0].hooks.config = { offlineUseHookPull: true }
  return nodes.map(node => ({ ...node, events: new OfflineEventRecorder(node.app) }))
}

function announced (nodes: AnnouncingNode[]): string[] {
  return nodes.flatMap(({ events }) => events.announced.map(({ userId }) => userId))
}

function buffered (nodes: AnnouncingNode[]): number {
  return nodes.reduce((sum, { app }) => sum + app.offlineBuffer.size, 0)
}

/** Users whose offline messages are kept by this node. */
function usersAtHome ({ app }: AnnouncingNode, count: number): string[] {
  const { nodeDirectory } = app
  return Array.from({ length: 100 }, (_, i) => `away${i}`)
    .filter(userId => homeOf(nodeDirectory.members(), 't1', userId)?.key === nodeDirectory.self.key)
    .slice(0, count)
}

t.test('a user who is on no node is announced, once, by the sender\'s node, and no node keeps the message', async t => {
  const nodes = await announcingNodes(t)
  const alice = await nodes[0].connect('alice')
  const users = nodes.flatMap(node => usersAtHome(node, 2))
  for (const toUserId of users) {
    const ack = await alice.sendAndAck({ toUserId })
    t.match(ack, { status: AckStatus.SENT, offlineNotifiedUsers: 1, offlineBufferedUsers: 0 })
  }
  t.same(nodes[0].events.announced.map(({ userId }) => userId), users)
  t.same(nodes[1].events.announced, [])
  t.equal(buffered(nodes), 0)
})

t.test('a user who is connected to the other node gets the message there, and is not announced', async t => {
  const nodes = await announcingNodes(t)
  const alice = await nodes[0].connect('alice')
  const bob = await nodes[1].connect('bob')
  t.match(await alice.sendAndAck({ toUserId: 'bob', msgId: 'm1' }), { status: AckStatus.SENT, offlineNotifiedUsers: 0 })
  t.match(await bob.waitMessages(1), [{ msgId: 'm1' }])
  t.same(announced(nodes), [])
})

t.test('who has left the sender\'s node for the other one is there, whatever the sender\'s node remembers', async t => {
  const nodes = await announcingNodes(t)
  const alice = await nodes[0].connect('alice')
  const before = await nodes[0].connect('bob')
  // From here on the node remembers that bob is on no other.
  await alice.sendAndAck({ toUserId: 'bob' })
  await before.waitMessages(1)
  await before.close()
  await until('bob\'s route is gone', async () => (await nodes[1].app.onlineRoutes.lookup('t1', 'bob')).length === 0)
  const bob = await nodes[1].connect('bob')
  t.match(await alice.sendAndAck({ toUserId: 'bob', msgId: 'm2' }), { status: AckStatus.SENT, offlineNotifiedUsers: 0 })
  t.match(await bob.waitMessages(1), [{ msgId: 'm2' }])
  t.same(announced(nodes), [])
})

t.test('who has left the other node is announced, although the sender\'s node remembers a route', async t => {
  const nodes = await announcingNodes(t)
  const alice = await nodes[0].connect('alice')
  const bob = await nodes[1].connect('bob')
  await alice.sendAndAck({ toUserId: 'bob' })
  await bob.waitMessages(1)
  await bob.close()
  await until('bob is gone', () => nodes[1].app.connections.ofUser('t1', 'bob').length === 0)
  t.match(await alice.sendAndAck({ toUserId: 'bob' }), { status: AckStatus.SENT, offlineNotifiedUsers: 1 })
  t.same(announced(nodes), ['bob'])
  t.equal(buffered(nodes), 0)
})

t.test('a group: those on either node get it, those on none are announced', async t => {
  const nodes = await announcingNodes(t)
  const alice = await nodes[0].connect('alice')
  const [bob, carol] = [await nodes[0].connect('bob'), await nodes[1].connect('carol')]
  const away = nodes.flatMap(node => usersAtHome(node, 3))
  nodes[0].hooks.groups.set('g', ['alice', 'bob', 'carol', ...away])
  t.match(await alice.sendAndAck({ msgType: MessageType.GROUP_CHAT, groupId: 'g' }), {
    partialDelivery: false, offlineNotifiedUsers: 6, offlineBufferedUsers: 0, offlineSkippedUsers: 0,
  })
  for (const client of [bob, carol]) await client.waitMessages(1)
  t.same(announced(nodes), away)
})

t.test('what cannot be announced waits at the user\'s home, and comes at whichever node', async t => {
  const nodes = await announcingNodes(t)
  const [toUserId] = usersAtHome(nodes[1], 1)
  nodes[0].events.room = 0
  const alice = await nodes[0].connect('alice')
  t.match(await alice.sendAndAck({ toUserId, msgId: 'm1' }), { offlineNotifiedUsers: 0, offlineBufferedUsers: 1 })
  t.equal(nodes[1].app.offlineBuffer.size, 1)
  const bob = await nodes[0].connect(toUserId)
  t.match(await bob.waitMessages(1), [{ msgId: 'm1' }])
  t.equal(buffered(nodes), 0)
})
