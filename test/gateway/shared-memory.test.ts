import { once } from 'node:events'
import t from 'tap'
import { AckStatus, body, text } from '../helpers/client.js'
import { startMemoryNodes } from '../helpers/memory-nodes.js'
import { until } from '../helpers/until.js'

t.test('apps that share a memory store are a cluster: clients of one reach those of the other', async t => {
  const [a, b] = await startMemoryNodes(t, ['a', 'b'])
  const alice = await a.connect('alice')
  const bob = await b.connect('bob')
  t.match(await alice.sendAndAck({ toUserId: 'bob', msgBody: body('hi') }), { status: AckStatus.SENT, offlineBufferedUsers: 0 })
  t.match(await bob.sendAndAck({ toUserId: 'alice', msgBody: body('hi yourself') }), { status: AckStatus.SENT, offlineBufferedUsers: 0 })
  t.same((await bob.waitMessages(1)).map(text), ['hi'])
  t.same((await alice.waitMessages(1)).map(text), ['hi yourself'])
})

t.test('a device that connects to the other app leaves the first one with 4409', async t => {
  const [a, b] = await startMemoryNodes(t, ['a', 'b'])
  const alice = await a.connect('alice')
  const old = await a.connect('bob')
  const other = await a.connect('bob', 'd2')
  const fresh = await b.connect('bob')
  t.match(await old.closed, { code: 4409 })
  await alice.sendAndAck({ toUserId: 'bob', msgBody: body('to both') })
  for (const client of [fresh, other]) t.same((await client.waitMessages(1)).map(text), ['to both'])
})

t.test('what waits for somebody is delivered by whichever app they come to, in order, once', async t => {
  const [a, b, c] = await startMemoryNodes(t, ['a', 'b', 'c'])
  const alice = await a.connect('alice')
  for (const words of ['one', 'two', 'three']) {
    t.match(await alice.sendAndAck({ toUserId: 'bob', msgBody: body(words) }), { status: AckStatus.SENT, offlineBufferedUsers: 1 })
  }
  const bob = await b.connect('bob')
  await alice.sendAndAck({ toUserId: 'bob', msgBody: body('live') })
  await bob.waitMessages(4)
  await bob.close()
  const again = await c.connect('bob', 'd2')
  await again.roundTrip()
  t.same([...bob.messages, ...again.messages].map(text), ['one', 'two', 'three', 'live'])
})

t.test('an app that closes is no member any more, and its store holds nothing of it', async t => {
  const [a, b] = await startMemoryNodes(t, ['a', 'b'])
  const alice = await a.connect('alice')
  const { memoryStore } = b.app
  const left = once(a.app.nodeDirectory, 'left')
  t.same([...memoryStore.leases.keys()].length, 2)
  await b.app.close()
  t.match(await left, [{ nodeId: 'b' }])
  t.equal(memoryStore.leases.size, 1)
  await alice.close()
  await until('nothing is left of alice', () => memoryStore.users.size === 0)
})
