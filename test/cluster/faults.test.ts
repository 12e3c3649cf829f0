import t, { type Test } from 'tap'
import { AckStatus, body, text } from '../helpers/client.js'
import { freePort } from '../helpers/free-port.js'
import { RedisServer } from '../helpers/redis-server.js'
import { until } from '../helpers/until.js'
import { Load, type Differences } from './load.js'
import { TcpProxy } from './tcp-proxy.js'
import { TestCluster } from './test-cluster.js'

const NOTHING: Differences = { missing: [], repeated: [], disordered: [] }

async function startRedis (t: Test): Promise<RedisServer> {
  const redis = await RedisServer.start()
  t.teardown(async () => await redis.close())
  return redis
}

t.test('a node that is told to stop under load: all that was acked is delivered, once and in order', async t => {
  const cluster = await TestCluster.start(t, (await startRedis(t)).url)
  const load = await Load.start(t, cluster, { users: 12, groupMembers: 12 })
  await load.progress(200)
  const [, second] = cluster.nodes
  // Somebody who is away, and whose messages wait on any of the nodes.
  const sender = await cluster.connect(cluster.nodes[0], 'sender')
  for (let i = 0; i < 30; i++) await sender.sendAndAck({ toUserId: `away${i}`, msgBody: body(String(i)) })
  second.process.signal('SIGTERM')
  t.equal(await second.process.ended, 0)
  await load.progress(200)
  t.strictSame(await load.stop(), NOTHING)
  for (const { ends } of load.clients) t.ok(ends.every(({ code }) => code === 4200), 'told to go elsewhere, and nothing worse')
  for (let i = 0; i < 30; i++) {
    const away = await cluster.connect(cluster.nodes[2], `away${i}`)
    t.strictSame((await away.waitMessages(1)).map(text), [String(i)])
    away.ws.terminate()
  }
  t.notMatch(second.process.stdout, /end with this process/)
})

t.test('a node that is killed under load: what is lost was in its buffer, and is counted', async t => {
  const cluster = await TestCluster.start(t, (await startRedis(t)).url)
  const load = await Load.start(t, cluster, { users: 12, groupMembers: 12 })
  await load.progress(200)
  const sender = await cluster.connect(cluster.nodes[0], 'sender')
  const away = Array.from({ length: 30 }, (_, i) => `away${i}`)
  for (const user of away) await sender.sendAndAck({ toUserId: user, msgBody: body(user) })
  const [, second, third] = cluster.nodes
  const held = await second.metric('mics_offline_messages')
  t.ok(held > 0, 'the node is home of some of them')
  const killedAt = performance.now()
  second.process.signal('SIGKILL')
  await second.process.ended
  await until('the remains are removed', async () => await cluster.metric('mics_offline_lost_total') > 0)
  const lost = await cluster.metric('mics_offline_lost_total', { tenant: 't1' })
  await load.progress(200)
  const { missing, repeated, disordered } = await load.stop({ lost: lost - held })
  const isKnown = (label: string): boolean => !load.isUncertain(label, [killedAt])
  t.strictSame(disordered, [])
  t.strictSame(repeated.filter(isKnown), [])
  t.ok(missing.filter(isKnown).length <= lost - held, `missing of the load: ${missing.join(' ')}`)
  let found = 0
  for (const user of away) {
    const client = await cluster.connect(third, user)
    await client.roundTrip()
    found += client.messages.length
    client.ws.terminate()
  }
  t.equal(found, away.length - held)
  await cluster.settled()
})

t.test('a node that stands still for longer than its lease goes on under a new name', async t => {
  const cluster = await TestCluster.start(t, (await startRedis(t)).url)
  const [first, second, third] = cluster.nodes
  const alice = await cluster.connect(first, 'alice')
  const bob = await cluster.connect(second, 'bob')
  const carol = await cluster.connect(second, 'carol')
  await alice.sendAndAck({ toUserId: 'bob', msgBody: body('before') })
  second.process.signal('SIGSTOP')
  await until('the others see it go', async () =>
    await first.metric('mics_cluster_members') === 2 && await third.metric('mics_cluster_members') === 2)
  // Bob finds that nobody answers and goes elsewhere; carol waits.
  const moved = await cluster.connect(third, 'bob')
  t.match(await alice.sendAndAck({ toUserId: 'bob', msgBody: body('meanwhile') }), { status: AckStatus.SENT })
  t.match(await alice.sendAndAck({ toUserId: 'carol', msgBody: body('while you slept') }), { status: AckStatus.SENT })
  t.strictSame((await moved.waitMessages(1)).map(text), ['meanwhile'])
  carol.send({ toUserId: 'bob', msgId: 'early', msgBody: body('from the sleeper') })
  second.process.signal('SIGCONT')
  t.match(await bob.closed, { code: 4409 }, 'its old connection is nobody any more')
  t.strictSame((await moved.waitMessages(2)).map(text), ['meanwhile', 'from the sleeper'])
  t.strictSame((await carol.waitMessages(1)).map(text), ['while you slept'])
  await cluster.settled()
  t.match(await alice.sendAndAck({ toUserId: 'carol', msgBody: body('awake') }), { status: AckStatus.SENT })
  t.strictSame((await carol.waitMessages(2)).map(text), ['while you slept', 'awake'])
})

t.test('Redis dies and comes back empty', async t => {
  const redis = await startRedis(t)
  const cluster = await TestCluster.start(t, redis.url, { env: { REDIS_GRACE_SECONDS: '1' } })
  const load = await Load.start(t, cluster, { users: 9, groupMembers: 9 })
  const [first, second, third] = cluster.nodes
  const sender = await cluster.connect(first, 'sender')
  const receiver = await cluster.connect(second, 'receiver')
  await sender.sendAndAck({ toUserId: 'receiver', msgBody: body('known') })
  await load.progress(100)
  await redis.kill()
  t.match(await sender.sendAndAck({ toUserId: 'receiver', msgBody: body('without') }), { status: AckStatus.SENT, offlineBufferedUsers: 0 })
  t.strictSame((await receiver.waitMessages(2)).map(text), ['known', 'without'], 'to a peer that is known')
  await load.progress(100)
  await until('readiness is gone', async () => !await first.isReady())
  const late = await cluster.connect(third, 'late')
  t.match(await late.sendAndAck({ toUserId: 'user0', msgBody: body('-1') }), { status: AckStatus.SENT })
  await redis.restart()
  await until('readiness is back', async () => await first.isReady())
  await cluster.settled()
  await until('everybody is registered again', async () => {
    const ack = await sender.sendAndAck({ toUserId: 'late', msgId: `late${Date.now()}`, msgBody: body('found') })
    return ack.offlineBufferedUsers === 0
  })
  await load.progress(100)
  t.strictSame(await load.stop(), NOTHING)
  for (const node of cluster.nodes) {
    t.equal(node.process.stdout.match(/Redis is gone/g)?.length, 1, 'said once')
  }
})

t.test('a peer that takes connections and never answers holds up nobody else', async t => {
  const cluster = await TestCluster.start(t, (await startRedis(t)).url, { env: { NODE_LEASE_SECONDS: '60' } })
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

t.test('a node with another token is heard by nobody, and says so', async t => {
  const cluster = await TestCluster.start(t, (await startRedis(t)).url, { nodes: 2 })
  const stranger = await cluster.add({ CLUSTER_GRPC_TOKEN: 'another' })
  const alice = await cluster.connect(stranger, 'alice')
  await cluster.connect(cluster.nodes[0], 'bob')
  t.match(await alice.sendAndAck({ toUserId: 'bob', msgBody: body('hello?') }), { status: AckStatus.SENT, offlineBufferedUsers: 1 })
  await stranger.process.prints(/CLUSTER_GRPC_TOKEN/)
})

t.test('a node joins while messages are being kept: none is stranded', async t => {
  const cluster = await TestCluster.start(t, (await startRedis(t)).url, { nodes: 2 })
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

t.test('the network to a node is cut and healed: nothing is lost, repeated or out of order', async t => {
  const redis = await startRedis(t)
  const cluster = await TestCluster.start(t, redis.url, { nodes: 2 })
  const port = await freePort()
  const proxy = await TcpProxy.start(() => port)
  t.teardown(async () => await proxy.close())
  await cluster.add({ NODE_PORT: String(port), PUBLIC_ENDPOINT: `http://127.0.0.1:${proxy.port}` })
  await cluster.settled()
  const load = await Load.start(t, cluster, { users: 9, groupMembers: 9 })
  await load.progress(100)
  proxy.cut()
  await load.progress(30)
  proxy.heal()
  await load.progress(100)
  t.strictSame(await load.stop(), NOTHING)
})
