import t from 'tap'
import { AckStatus, body, text } from '../helpers/client.js'
import { withRedis } from '../helpers/redis-server.js'
import { until } from '../helpers/until.js'
import { Load } from './load.js'
import { TestCluster } from './test-cluster.js'

t.test('a node that stands still for longer than its lease goes on under a new name', async t => {
  const cluster = await TestCluster.start(t, (await withRedis(t)).url)
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
  const redis = await withRedis(t)
  const cluster = await TestCluster.start(t, redis.url, { env: { REDIS_GRACE_SECONDS: '1' } })
  const load = await Load.start(t, cluster, { users: 9, groupMembers: 9 })
  const [first, second, third] = cluster.nodes
  const sender = await cluster.connect(first, 'sender')
  const receiver = await cluster.connect(second, 'receiver')
  const former = await cluster.connect(second, 'mover')
  await sender.sendAndAck({ toUserId: 'receiver', msgBody: body('known') })
  await load.progress(100)
  const goneAt = performance.now()
  await redis.kill()
  await Promise.all(cluster.nodes.map(async ({ process }) => await process.prints(/Redis is gone/)))
  t.match(await sender.sendAndAck({ toUserId: 'receiver', msgBody: body('without') }),
    { status: AckStatus.SENT, offlineBufferedUsers: 0 })
  t.strictSame((await receiver.waitMessages(2)).map(text), ['known', 'without'], 'to a peer that is known')
  await load.progress(100)
  await until('readiness is gone', async () => !await first.isReady())
  const late = await cluster.connect(third, 'late')
  const moved = await cluster.connect(third, 'mover')
  t.match(await late.sendAndAck({ toUserId: 'user0', msgBody: body('-1') }), { status: AckStatus.SENT })
  t.equal(await third.metric('mics_unregistered_connections_total'), 2)
  for (const name of ['route_lookups_degraded', 'dedup_degraded']) {
    t.ok(await cluster.metric(`mics_${name}_total`) > 0, `${name} is counted`)
  }
  await redis.restart()
  await until('readiness is back', async () => await first.isReady())
  t.match(await former.closed, { code: 4409 }, 'a device that moved meanwhile has one connection')
  t.equal(moved.ws.readyState, moved.ws.OPEN)
  await cluster.settled()
  for (const { process } of cluster.nodes) await process.prints(/everything is registered again/)
  t.match(await sender.sendAndAck({ toUserId: 'late', msgBody: body('found') }), { offlineBufferedUsers: 0 })
  const registeredAt = performance.now()
  await load.progress(100)
  const { missing, repeated, disordered } = await load.stop()
  t.strictSame({ missing, repeated }, { missing: [], repeated: [] })
  // What was kept until everybody is registered again may come after what was sent then: see docs/cluster.md.
  t.strictSame(disordered.filter(label => !load.wasUnderWay(label, goneAt, registeredAt)), [])
  for (const { process } of cluster.nodes) {
    const aboutRedis = process.log.filter(({ msg }) => /Redis/.test(String(msg))).map(({ msg }) => msg)
    t.strictSame(aboutRedis, [
      'Redis is gone: this node goes on with what it knows',
      'Redis is back',
      'a Redis master is another process than before: what it held may be gone',
    ], 'said once')
  }
})

t.test('a node that is told to stop while Redis is gone hands over to the peers it knows', async t => {
  const redis = await withRedis(t)
  const cluster = await TestCluster.start(t, redis.url, { nodes: 2 })
  const [first, second] = cluster.nodes
  const sender = await cluster.connect(first, 'sender')
  const client = await cluster.connect(second, 'client')
  const users = Array.from({ length: 20 }, (_, i) => `away${i}`)
  for (const user of users) await sender.sendAndAck({ toUserId: user, msgBody: body(user) })
  t.ok(await second.metric('mics_offline_messages') > 0, 'some wait there')
  await redis.kill()
  await Promise.all(cluster.nodes.map(async ({ process }) => await process.prints(/Redis is gone/)))
  second.process.signal('SIGTERM')
  t.match(await client.closed, { code: 4200 })
  t.equal(await second.process.ended, 0)
  t.equal(await first.metric('mics_offline_messages'), users.length)
  for (const user of users) {
    const back = await cluster.connect(first, user)
    t.strictSame((await back.waitMessages(1)).map(text), [user])
    back.ws.terminate()
  }
})
