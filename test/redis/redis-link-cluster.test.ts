import { once } from 'node:events'
import type { Cluster } from 'ioredis'
import t from 'tap'
import { createRedisClient } from '../../lib/redis/redis-client.js'
import type { RedisLink } from '../../lib/redis/redis-link.js'
import { parseRedisUrl } from '../../lib/redis/redis-url.js'
import { Script } from '../../lib/redis/script.js'
import { connectLink, eventsOf } from '../helpers/redis-link.js'
import { withRedisCluster } from '../helpers/redis-server.js'
import { until } from '../helpers/until.js'

// One of each master: slots 3300, 7365 and 15495.
const keys = ['b', 'c', 'a']

async function set (link: RedisLink, key: string): Promise<string> {
  return await link.run('test', async redis => await redis.set(key, 'x'))
}

/** Which of the keys can be read. */
async function readable (link: RedisLink): Promise<boolean[]> {
  const ended = await Promise.allSettled(keys.map(key => link.run('test', async redis => await redis.get(key))))
  return ended.map(({ status }) => status === 'fulfilled')
}

t.test('keys of all masters are reached, by scripts too', async t => {
  const cluster = await withRedisCluster(t)
  const link = await connectLink(t, cluster.url)
  t.strictSame(await Promise.all(keys.map(key => set(link, key))), ['OK', 'OK', 'OK'])
  const sizes = await Promise.all(cluster.nodes.map(async ({ url }) => {
    const node = await connectLink(t, url)
    return await node.run('test', async redis => await redis.dbsize())
  }))
  t.strictSame(sizes, [1, 1, 1])
  const script = new Script("return redis.call('GET', KEYS[1]) .. ARGV[1]")
  t.strictSame(await Promise.all(keys.map(key => link.run('test', async redis => await script.run(redis, [key], ['y'])))), ['xy', 'xy', 'xy'])
})

t.test('a master that was restarted empty is noticed while the others stay', async t => {
  const cluster = await withRedisCluster(t)
  const link = await connectLink(t, cluster.url)
  const events = eventsOf(link)
  await Promise.all(keys.map(key => set(link, key)))
  const restarted = once(link, 'restarted')
  await cluster.nodes[1].restart()
  await restarted
  await until('all can be read', async () => (await readable(link)).every(Boolean))
  t.strictSame(events.filter(event => event === 'restarted'), ['restarted'])
  t.equal(await link.run('test', async redis => await redis.get(keys[0])), 'x')
  t.equal(await link.run('test', async redis => await redis.get(keys[1])), null)
})

t.test('one master that is gone takes nothing down where the others go on without it, and its return is noticed', async t => {
  const cluster = await withRedisCluster(t, { args: ['--cluster-require-full-coverage', 'no'] })
  const link = await connectLink(t, cluster.url, { timeoutMs: 2000 })
  const events = eventsOf(link)
  await cluster.nodes[2].kill()
  await until('the others are read and it is not', async () => (await readable(link)).join() === 'true,true,false')
  await t.rejects(set(link, keys[2]), { code: 'MICS_REDIS_UNAVAILABLE' })
  t.equal(link.isUp, true)
  t.strictSame(events, [])
  const restarted = once(link, 'restarted')
  await cluster.nodes[2].restart()
  await restarted
  await until('it can be written', async () => await set(link, keys[2]).then(() => true, () => false))
  t.strictSame(events, ['restarted'])
})

t.test('one master that hangs takes nothing down where the others go on without it', async t => {
  const cluster = await withRedisCluster(t, { args: ['--cluster-require-full-coverage', 'no'] })
  const link = await connectLink(t, cluster.url, { timeoutMs: 1000 })
  const events = eventsOf(link)
  cluster.nodes[0].pause()
  await t.rejects(set(link, keys[0]), { code: 'MICS_REDIS_UNAVAILABLE' })
  t.equal(await set(link, keys[1]), 'OK')
  cluster.nodes[0].resume()
  await until('it is back', async () => (await readable(link)).every(Boolean))
  t.strictSame(events, [])
})

t.test('a cluster that declares itself down is down until it is in order again', async t => {
  const cluster = await withRedisCluster(t)
  const link = await connectLink(t, cluster.url)
  const events = eventsOf(link)
  const down = once(link, 'down')
  await cluster.nodes[1].kill()
  await down
  await t.rejects(set(link, keys[0]), { code: 'MICS_REDIS_UNAVAILABLE' }, 'keys of the others too')
  const up = once(link, 'up')
  await cluster.nodes[1].restart()
  await up
  await until('it is noticed', () => events.includes('restarted'))
  await until('all can be read', async () => (await readable(link)).every(Boolean))
})

t.test('a cluster that hangs as a whole is down until it answers', async t => {
  const cluster = await withRedisCluster(t)
  const link = await connectLink(t, cluster.url, { timeoutMs: 500 })
  const events = eventsOf(link)
  for (const node of cluster.nodes) node.pause()
  await t.rejects(set(link, keys[0]), { code: 'MICS_REDIS_UNAVAILABLE' })
  await until('it is down', () => !link.isUp)
  for (const node of cluster.nodes) node.resume()
  await until('it is up', () => link.isUp)
  await until('all can be read', async () => (await readable(link)).every(Boolean))
  t.notOk(events.includes('restarted'), 'the processes are the same')
})

t.test('a cluster of which everything was restarted is found again', async t => {
  const cluster = await withRedisCluster(t)
  const link = await connectLink(t, cluster.url)
  const events = eventsOf(link)
  await Promise.all(cluster.nodes.map(async node => await node.kill()))
  await until('it is down', () => !link.isUp)
  await Promise.all(cluster.nodes.map(async node => await node.restart()))
  await until('all three are noticed', () => events.filter(event => event === 'restarted').length === 3)
  await until('all can be read', async () => (await readable(link)).every(Boolean))
  t.equal(link.isUp, true)
})

t.test('a client that is closed while it asks who serves which slot does not go on asking', async t => {
  const cluster = await withRedisCluster(t)
  const client = createRedisClient(parseRedisUrl(cluster.url), 10_000, 'test') as Cluster
  client.on('error', t.threw)
  await client.connect()
  let rounds = 0
  const askAgain = (): void => { if (++rounds < 100) client.refreshSlotsCache(askAgain) }
  client.refreshSlotsCache(askAgain)
  client.disconnect()
  await once(client, 'end')
  client.refreshSlotsCache(askAgain)
  t.ok(rounds < 100)
})
