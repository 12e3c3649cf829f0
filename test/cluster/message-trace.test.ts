import t from 'tap'
import { MessageType } from '../helpers/client.js'
import { startMemoryNodes } from '../helpers/memory-nodes.js'
import { TRACE_TOKEN, traceOf, traceWith, verdicts } from '../helpers/traces.js'

const ENV = { CLUSTER_GRPC_TOKEN: TRACE_TOKEN }

t.test('both halves of a message show, whichever node is asked', async t => {
  const [first, second] = await startMemoryNodes(t, ['node-1', 'node-2'], ENV)
  const alice = await first.connect('alice')
  await second.connect('bob', 'phone')
  await alice.sendAndAck({ toUserId: 'bob', msgId: 'm1' })
  await traceWith(second.app, 'm1', 'written')
  for (const { app } of [first, second]) {
    const rows = await traceOf(app, 'm1')
    const of = (node: string): string[] => verdicts(rows.filter(row => row.node === node))
    t.ok(of('node-1').includes('check_hook: allowed'))
    t.match(rows.filter(({ stage }) => stage === 'peer'),
      [{ node: 'node-1', result: 'answered', user_id: 'bob', other_node: 'node-2', count: 1 }])
    t.ok(of('node-1').includes('ack: SENT'))
    t.match(rows.filter(({ node, stage }) => node === 'node-2' && stage !== 'received'), [
      { stage: 'device', user_id: 'bob', device_id: 'phone' }, { stage: 'written', user_id: 'bob', device_id: 'phone' },
    ])
    t.equal(rows.filter(({ stage }) => stage === 'received').length, 2)
  }
})

t.test('a message for a user who is away shows the home node, and where it went from there', async t => {
  const [first, second] = await startMemoryNodes(t, ['node-1', 'node-2'], ENV)
  const alice = await first.connect('alice')
  // Whose home is the other node: one of so many is.
  let [user, msgId] = ['', '']
  for (let i = 0; msgId === ''; i++) {
    user = `user-${i}`
    await alice.sendAndAck({ toUserId: user, msgId: `m${i}` })
    if (second.app.offlineBuffer.holdsFor('t1', user)) msgId = `m${i}`
  }
  const rows = await traceOf(first.app, msgId)
  t.match(rows.filter(({ stage }) => stage === 'buffer').sort((one, other) => one.node < other.node ? -1 : 1), [
    { node: 'node-1', result: 'kept at home', user_id: user, other_node: 'node-2' },
    { node: 'node-2', result: 'kept here', user_id: user },
  ])
  await first.connect(user, 'phone')
  await traceWith(first.app, msgId, 'moved')
  const after = await traceWith(first.app, msgId, 'written')
  t.match(after.filter(({ stage }) => stage === 'moved'), [{ node: 'node-2', other_node: 'node-1', user_id: user }])
  t.match(after.filter(({ stage }) => stage === 'written'), [{ node: 'node-1', device_id: 'phone' }])
})

t.test('a peer that does not answer shows, and that the message waits at the sender\'s node', async t => {
  const [first, second] = await startMemoryNodes(t, ['node-1', 'node-2'], ENV)
  const alice = await first.connect('alice')
  await second.connect('bob')
  first.app.peers.deliver = async () => ({ kind: 'unreachable' })
  await alice.sendAndAck({ toUserId: 'bob', msgId: 'm1' })
  const rows = await traceOf(first.app, 'm1')
  t.match(rows.filter(({ stage }) => stage === 'peer'), [{ result: 'no answer', user_id: 'bob', other_node: 'node-2' }])
  t.match(rows.filter(({ stage }) => stage === 'buffer'), [{ node: 'node-1', result: 'kept here', user_id: 'bob' }])
  t.match(rows.find(({ stage }) => stage === 'users'), { delivered: 0, buffered: 1 })
})

t.test('a group shows at each node how many devices got it there', async t => {
  const [first, second] = await startMemoryNodes(t, ['node-1', 'node-2'], ENV)
  first.hooks.groups.set('g', ['alice', 'bob', 'carol', 'dave'])
  const alice = await first.connect('alice')
  await first.connect('bob')
  await second.connect('carol', 'phone')
  await second.connect('carol', 'laptop')
  await second.connect('dave')
  await alice.sendAndAck({ msgType: MessageType.GROUP_CHAT, groupId: 'g', msgId: 'm1' })
  const rows = await traceOf(first.app, 'm1')
  t.match(rows.find(({ node, stage }) => node === 'node-1' && stage === 'devices here'), { handed_over: 1 })
  t.match(rows.find(({ node, stage }) => node === 'node-2' && stage === 'devices here'), { handed_over: 3 })
  t.match(rows.filter(({ stage }) => stage === 'peer'), [{ other_node: 'node-2', count: 3 }])
  t.match(rows.find(({ stage }) => stage === 'users'), { delivered: 3 })
})
