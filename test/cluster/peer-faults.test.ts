import t from 'tap'
import { AckStatus, body, text } from '../helpers/client.js'
import { freePort } from '../helpers/free-port.js'
import { withRedis } from '../helpers/redis-server.js'
import { until } from '../helpers/until.js'
import { Load, type Differences } from './load.js'
import { TcpProxy } from './tcp-proxy.js'
import { TestCluster } from './test-cluster.js'

const NOTHING: Differences = { missing: [], repeated: [], disordered: [] }

t.test('a peer that takes connections and never answers holds up nobody else', async t => {
  const cluster = await TestCluster.start(t, (await withRedis(t)).url, { env: { NODE_LEASE_SECONDS: '60' } })
  const [first, second, third] = cluster.nodes
  const alice = await cluster.connect(first, 'alice')
  const bob = await cluster.connect(second, 'bob')
  const carol = await cluster.connect(third, 'carol')
  await alice.sendAndAck({ toUserId: 'bob', msgBody: body('before') })
  await bob.waitMessages(1)
  second.process.signal('SIGSTOP')
  alice.send({ toUserId: 'bob', msgId: 'to the silent', msgBody: body('patience') })
  for (let i = 0; i < 20; i++) {
    t.match(await alice.sendAndAck({ toUserId: 'carol', msgBody: body(String(i)) }),
      { status: AckStatus.SENT, offlineBufferedUsers: 0 })
  }
  t.notOk(alice.acks.some(({ msgId }) => msgId === 'to the silent'), 'all of them went past the one that waits')
  await alice.until(() => alice.acks.some(({ msgId }) => msgId === 'to the silent'))
  t.match(alice.acks.find(({ msgId }) => msgId === 'to the silent'), { status: AckStatus.SENT, offlineBufferedUsers: 1 })
  t.strictSame((await carol.waitMessages(20)).length, 20)
  second.process.signal('SIGCONT')
  await bob.until(() => bob.messages.some(message => text(message) === 'patience'))
})

t.test('a node with another token is heard by nobody, and says so; nothing is lost by it', async t => {
  const cluster = await TestCluster.start(t, (await withRedis(t)).url, { nodes: 2 })
  const [first] = cluster.nodes
  const stranger = await cluster.add({ NODE_ID: 'stranger', CLUSTER_GRPC_TOKEN: 'another' })
  const alice = await cluster.connect(stranger, 'alice')
  const bob = await cluster.connect(first, 'bob')
  const kept = { status: AckStatus.SENT, offlineBufferedUsers: 1 }
  t.match(await alice.sendAndAck({ toUserId: 'bob', msgBody: body('hello?') }), kept)
  t.match(await bob.sendAndAck({ toUserId: 'alice', msgBody: body('anybody?') }), kept)
  await stranger.process.prints(/a peer refuses this node: CLUSTER_GRPC_TOKEN/)
  await first.process.prints(/a request to the node RPC without the right token/)
  t.ok(await first.metric('mics_node_rpc_refused_total', { reason: 'token' }) > 0)
  await bob.roundTrip()
  t.strictSame(bob.messages, [])
  t.strictSame(alice.messages, [])
  const moved = await cluster.connect(cluster.nodes[1], 'alice')
  t.match(await moved.sendAndAck({ toUserId: 'bob', msgBody: body('here I am') }), { offlineBufferedUsers: 0 })
})

t.test('a node joins while messages are being kept: none is stranded', async t => {
  const cluster = await TestCluster.start(t, (await withRedis(t)).url, { nodes: 2 })
  const sender = await cluster.connect(cluster.nodes[0], 'sender')
  // Enough for each way that a home can move.
  const users = Array.from({ length: 40 }, (_, i) => `away${i}`)
  let joining: Promise<unknown> | undefined
  const rounds = 15
  for (let i = 0; i < rounds; i++) {
    for (const user of users) await sender.sendAndAck({ toUserId: user, msgBody: body(String(i)) })
    joining ??= i === 5 ? cluster.add() : undefined
  }
  const [, , third] = await Promise.resolve(joining).then(() => cluster.nodes)
  await cluster.settled()
  for (const user of users) await sender.sendAndAck({ toUserId: user, msgBody: body(String(rounds)) })
  t.ok(await third.metric('mics_offline_messages') > 0, 'the new node is home of some')
  for (const [i, user] of users.entries()) {
    const client = await cluster.connect(cluster.nodes[i % 3], user)
    const expected = Array.from({ length: rounds + 1 }, (_, n) => String(n))
    t.strictSame((await client.waitMessages(rounds + 1)).map(text), expected)
    client.ws.terminate()
  }
})

t.test('the network to a node is cut for longer than anybody waits, and healed', async t => {
  const redis = await withRedis(t)
  const cluster = await TestCluster.start(t, redis.url, { nodes: 2 })
  const port = await freePort()
  const proxy = await TcpProxy.start(() => port)
  t.teardown(async () => await proxy.close())
  const third = await cluster.add({ NODE_PORT: String(port), PUBLIC_ENDPOINT: `http://127.0.0.1:${proxy.port}` })
  await cluster.settled()
  const load = await Load.start(t, cluster, { users: 9, groupMembers: 9 })
  await load.progress(100)
  proxy.cut()
  const others = cluster.nodes.filter(node => node !== third)
  for (const { process } of others) await process.prints(/PING timed out/)
  await until('messages have timed out', async () =>
    await cluster.metric('mics_peer_items_total', { kind: 'deliver', result: 'timeout' }) > 0)
  proxy.heal()
  await load.progress(200)
  await until('all ways are open again', async () => await cluster.metric('mics_peer_breaker_state') === 0)
  t.strictSame(await load.stop(), NOTHING)
  t.ok(await third.metric('mics_offline_delivered_total') > 0, 'what waited for its users has come')
})

t.test('what cannot be handed over while its user connects comes late, once, and holds up nobody', async t => {
  const cluster = await TestCluster.start(t, (await withRedis(t)).url, { nodes: 1 })
  const [first] = cluster.nodes
  const port = await freePort()
  const proxy = await TcpProxy.start(() => port)
  t.teardown(async () => await proxy.close())
  const second = await cluster.add({ NODE_PORT: String(port), PUBLIC_ENDPOINT: `http://127.0.0.1:${proxy.port}` })
  await cluster.settled()
  const alice = await cluster.connect(second, 'alice')
  let user = ''
  for (let i = 0; await first.metric('mics_offline_messages') === 0; i++) {
    user = `away${i}`
    await alice.sendAndAck({ toUserId: user, msgBody: body('kept') })
  }
  proxy.cut()
  const bob = await cluster.connect(second, user)
  t.match(await alice.sendAndAck({ toUserId: user, msgBody: body('live') }), { offlineBufferedUsers: 0 })
  t.strictSame((await bob.waitMessages(1)).map(text), ['live'], 'its node did not wait for ever')
  proxy.heal()
  t.strictSame((await bob.waitMessages(2)).map(text), ['live', 'kept'])
  await alice.sendAndAck({ toUserId: user, msgBody: body('last') })
  t.strictSame((await bob.waitMessages(3)).map(text), ['live', 'kept', 'last'])
})
