import t, { type Test } from 'tap'
import { homeOf } from '../../lib/offline/home.js'
import { AckStatus, body, text, type TestClient } from '../helpers/client.js'
import { startMemoryNodes, type MemoryNode } from '../helpers/memory-nodes.js'

const NO_DEADLINE = new AbortController().signal

interface Setup {
  /** Has not heard that `b` drains. */
  a: MemoryNode
  /** Has handed over all that it held, and is yet to end. */
  b: MemoryNode
  c: MemoryNode
  /** Somebody whose home is `b`, as far as `a` knows. */
  user: string
}

async function setup (t: Test): Promise<Setup> {
  const [a, b, c] = await startMemoryNodes(t, ['a', 'b', 'c'])
  const { nodeDirectory } = a.app
  const user = Array.from({ length: 100 }, (_, i) => `user${i}`)
    .find(userId => homeOf(nodeDirectory.members(), 't1', userId)?.nodeId === 'b') as string
  nodeDirectory.refresh = async () => {}
  await b.app.lifecycle.drain(NO_DEADLINE, (_step, error) => { t.error(error) })
  t.equal(homeOf(nodeDirectory.members(), 't1', user)?.nodeId, 'b')
  return { a, b, c, user }
}

t.test('messages for whom a stopping node is still taken for the home of outlive it, in order', async t => {
  const { a, b, c, user } = await setup(t)
  const alice = await a.connect('alice')
  for (const content of ['1', '2']) {
    const ack = await alice.sendAndAck({ toUserId: user, msgBody: body(content) })
    t.match(ack, { status: AckStatus.SENT, offlineBufferedUsers: 1 })
  }
  t.equal(b.app.offlineBuffer.size, 0, 'there they would be lost')
  await b.app.close()
  const bob = await c.connect(user)
  await alice.sendAndAck({ toUserId: user, msgBody: body('3') })
  t.strictSame((await bob.waitMessages(3)).map(text), ['1', '2', '3'])
})

t.test('who connects just when a message goes to such a node gets it before the next one', async t => {
  const { a, b, c, user } = await setup(t)
  const alice = await a.connect('alice')
  const { onlineRoutes } = a.app
  const lookup = onlineRoutes.lookup.bind(onlineRoutes)
  let bob: TestClient | undefined
  // Between being found nowhere and the message's coming to their home.
  onlineRoutes.lookup = async (tenantId, userId) => {
    const found = await lookup(tenantId, userId)
    if (userId === user) bob ??= await c.connect(user)
    return found
  }
  for (const content of ['1', '2', '3']) await alice.sendAndAck({ toUserId: user, msgBody: body(content) })
  t.strictSame((await bob?.waitMessages(3))?.map(text), ['1', '2', '3'])
  t.equal(b.app.peerService.refused, 1)
})
