import t, { type Test } from 'tap'
import { RedisNodeDirectory } from '../../lib/node-directory/redis-node-directory.js'
import { RedisUnavailableError, type RedisLink } from '../../lib/redis/redis-link.js'
import { connectLink, onEachMaster } from '../helpers/redis-link.js'
import { withRedis, withRedisCluster } from '../helpers/redis-server.js'
import { until } from '../helpers/until.js'
import { keys, nodeDirectoryContract, record, type DirectoryHome, type DirectoryOptions } from './contract.js'

/** An empty Redis. Each node has a link of its own. */
async function openHome (t: Test, url: string): Promise<DirectoryHome> {
  await onEachMaster(await connectLink(t, url), master => master.flushall())
  return { node: (nodeId, options) => withNode(t, url, nodeId, options) }
}

async function withNode (
  t: Test, url: string, nodeId: string, options: DirectoryOptions = {}, timeoutMs = 10_000
): Promise<RedisNodeDirectory> {
  const node = new RedisNodeDirectory(await connectLink(t, url, { timeoutMs }), {
    nodeId, endpoint: () => `http://${nodeId}:8081`, leaseMs: 60_000, renewMs: 60_000, ...options,
  })
  t.teardown(() => node.close())
  return node
}

t.test('with a single Redis', async t => {
  const { url } = await withRedis(t)
  nodeDirectoryContract(t, t => openHome(t, url))
})

t.test('with a Redis Cluster', async t => {
  const { url } = await withRedisCluster(t)
  nodeDirectoryContract(t, t => openHome(t, url))
})

t.test('while Redis is gone the members last known stay, and a node says that it cannot renew', async t => {
  const server = await withRedis(t)
  const [a, b] = [await withNode(t, server.url, 'a', { renewMs: 20, leaseMs: 300 }), await withNode(t, server.url, 'b')]
  await b.join()
  await a.join()
  const members = a.members()
  const left = record(a, 'left')
  const failed = record(a, 'renewalFailed')
  await server.kill()
  await t.rejects(b.refresh(), RedisUnavailableError)
  await until('it has tried for longer than a lease', () => failed.length > 20)
  t.ok(failed.every(([error]) => error instanceof RedisUnavailableError))
  t.equal(a.members(), members)
  t.equal(a.isStale, false, 'nothing can be known')
  t.equal(left.length, 0)
  await t.rejects(a.leave(), RedisUnavailableError)
  t.same(keys(a), [b.self.key], 'it has left as far as it is concerned')
})

t.test('joining a Redis that is gone rejects, and may be tried again', async t => {
  const server = await withRedis(t)
  const a = await withNode(t, server.url, 'a')
  await server.kill()
  await t.rejects(a.join(), RedisUnavailableError)
  t.same(a.members(), [])
  await server.restart()
  await until('it has joined', () => a.join().then(() => true, () => false))
  t.same(keys(a), [a.self.key])
})

t.test('after Redis came back empty every node joins again, and says that all must be said again', async t => {
  const server = await withRedis(t)
  const nodes = await Promise.all(['a', 'b', 'c'].map(id => withNode(t, server.url, id)))
  for (const node of nodes) await node.join()
  const former = nodes.map(({ self }) => self)
  const resets = nodes.map(node => record(node, 'reset'))
  await server.restart()
  for (const [index, node] of nodes.entries()) {
    await until('it was reset', () => resets[index].length > 0)
    t.ok(node.self.incarnation > former[index].incarnation)
  }
  for (const node of nodes) await node.refresh()
  for (const node of nodes) t.same(keys(node), nodes.map(({ self }) => self.key))
})

t.test('after Redis was out of reach for longer than a lease nobody has to say anything again', async t => {
  const server = await withRedis(t)
  const options = { leaseMs: 1000, renewMs: 100 }
  const [a, b] = await Promise.all(['a', 'b'].map(id => withNode(t, server.url, id, options, 300)))
  await a.join()
  await b.join()
  await a.refresh()
  const { self } = a
  const events = [a, b].flatMap(node => [record(node, 'reset'), record(node, 'left')])
  const failed = record(a, 'renewalFailed')
  server.pause()
  const since = Date.now()
  await until('the leases would have run out', () => Date.now() - since > 2 * options.leaseMs)
  t.ok(failed.length > 0)
  server.resume()
  for (const node of [a, b]) await until('it renews again', () => node.refresh().then(() => true, () => false))
  t.equal(a.self, self)
  t.same(keys(a), [a.self.key, b.self.key])
  t.same(events.map(({ length }) => length), [0, 0, 0, 0])
})

t.test('as soon as Redis answers again a node looks who is there', async t => {
  const server = await withRedis(t)
  const [a, b] = [await withNode(t, server.url, 'a', {}, 300), await withNode(t, server.url, 'b')]
  await a.join()
  await b.join()
  server.pause()
  await t.rejects(a.refresh(), RedisUnavailableError)
  t.same(keys(a), [a.self.key])
  server.resume()
  await until('it has looked', () => a.get(b.self.key) !== undefined)
})

t.test('after a master of a Redis Cluster came back empty all must be said again, whoever held the leases', async t => {
  const cluster = await withRedisCluster(t)
  const link = await connectLink(t, cluster.url, { timeoutMs: 1000 })
  const a = await withNode(t, cluster.url, 'a', { renewMs: 100 }, 1000)
  await a.join()
  const resets = record(a, 'reset')
  for (const [index, server] of cluster.nodes.entries()) {
    resets.length = 0
    await server.restart()
    await until(`it was reset by master ${index}`, () => resets.length > 0)
    await until('the Redis Cluster is in order', () => isInOrder(link))
  }
  await a.refresh()
  t.same(keys(a), [a.self.key])
})

async function isInOrder (link: RedisLink): Promise<boolean> {
  try {
    const states = await onEachMaster(link, master => master.cluster('INFO'))
    return states.length === 3 && states.every(state => String(state).includes('cluster_state:ok'))
  } catch {
    return false // one is not there yet
  }
}

t.test('a join whose answer was lost is found when it is tried again: no second member comes of it', async t => {
  const server = await withRedis(t)
  const link = await connectLink(t, server.url)
  const run = link.run.bind(link)
  const a = new RedisNodeDirectory(link, { nodeId: 'a', endpoint: () => '', leaseMs: 60_000 })
  t.teardown(() => a.close())
  link.run = async (operation, commands) => {
    await run(operation, commands)
    throw new RedisUnavailableError(operation)
  }
  await t.rejects(a.join(), RedisUnavailableError)
  await t.rejects(a.join(), RedisUnavailableError)
  link.run = run
  await a.join()
  t.same(keys(a), [a.self.key])
})

t.test('a clock of Redis that was set back prolongs no lease', async t => {
  const server = await withRedis(t)
  const link = await connectLink(t, server.url)
  const [a, b] = [await withNode(t, server.url, 'a', { leaseMs: 300, renewMs: 50 }), await withNode(t, server.url, 'b')]
  await b.join()
  await a.join()
  // Like a clock that goes an hour slow from now on: all times in there are an hour ahead.
  const hour = 3_600_000
  await link.run('test', async redis => {
    for (const key of keys(a)) await redis.zincrby('{mics:nodes}:leases', hour, key)
    await redis.hincrby('{mics:nodes}:info', 'renewedAt', hour)
  })
  await a.refresh()
  const ends = await link.run('test', redis => redis.zscore('{mics:nodes}:leases', b.self.key))
  t.ok(Number(ends) < Date.now() + hour / 2)
})
