import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { RedisRateLimit } from '../../lib/rate-limit/redis-rate-limit.js'
import { tokensKey } from '../../lib/redis/keys.js'
import type { RedisLink } from '../../lib/redis/redis-link.js'
import { fixedDirectories } from '../helpers/fixed-directory.js'
import { connectLink } from '../helpers/redis-link.js'
import { withRedis, withRedisCluster } from '../helpers/redis-server.js'
import { until } from '../helpers/until.js'
import { rateLimitContract } from './contract.js'

/** Milliseconds of Redis's own clock. */
async function redisTime (link: RedisLink): Promise<number> {
  const [seconds, micros] = await link.run('test', redis => redis.time())
  return Number(seconds) * 1000 + Number(micros) / 1000
}

for (const [where, start] of Object.entries({ 'a single Redis': withRedis, 'a Redis Cluster': withRedisCluster })) {
  t.test(`on ${where}`, async t => {
    const { url } = await start(t)
    await rateLimitContract(t, async t => {
      const directories = fixedDirectories(3)
      const links = await Promise.all(directories.map(() => connectLink(t, url)))
      const limits = directories.map((directory, i) => new RedisRateLimit(links[i], directory))
      t.teardown(() => { for (const limit of limits) limit.close() })
      return { limits, now: () => redisTime(links[0]), tick: () => delay(5) }
    })
  })
}

/** Three members on one Redis, with an impatient link each; `observer` is a patient one. */
async function trio (t: Test) {
  const server = await withRedis(t)
  const directories = fixedDirectories(3)
  const impatient = { timeoutMs: 200, probeIntervalMs: 50 }
  const links = await Promise.all(directories.map(() => connectLink(t, server.url, impatient)))
  const errors: unknown[] = []
  const limits = directories.map((directory, i) =>
    new RedisRateLimit(links[i], directory, { onError: error => errors.push(error) }))
  t.teardown(() => { for (const limit of limits) limit.close() })
  return { server, directories, links, limits, errors, observer: await connectLink(t, server.url) }
}

/** How many of `count` messages pass that come at once. */
async function take (limit: RedisRateLimit, tenantId: string, qps: number, count: number): Promise<number> {
  return (await Promise.all(Array.from({ length: count }, () => limit.take(tenantId, qps)))).filter(Boolean).length
}

t.test('a bucket that is full again is no key', async t => {
  const { limits: [limit], observer } = await trio(t)
  t.equal(await take(limit, 't1', 50, 50), 50)
  const key = tokensKey('t1')
  const [kept] = await observer.run('test', redis => Promise.all([redis.pttl(key)]))
  t.ok(kept > 0 && kept <= 1000, `it goes by itself in ${kept} ms`)
  await until('it is gone', async () => await observer.run('test', redis => redis.exists(key)) === 0)
})

t.test('tokens that a member does not use go back', async t => {
  const { links: [link], directories: [directory], observer } = await trio(t)
  let now = 0
  const limit = new RedisRateLimit(link, directory, { now: () => now })
  t.teardown(() => limit.close())
  const key = tokensKey('t1')
  const persist = () => observer.run('test', redis => redis.persist(key))
  do {
    // One after the other, they are a load that grows, for which more is taken in advance.
    for (let i = 0; i < 600; i++) await limit.take('t1', 1000)
    // From here on the key does not go by itself.
  } while (await persist() === 0)
  const fullAt = async () => Number(await observer.run('test', redis => redis.get(key)))
  const before = await fullAt()
  now += 10_000
  await until('the bucket will be full earlier, or is full', async () => await fullAt() < before)
})

t.test('a member forgets tenants that send nothing', async t => {
  const { limits: [limit] } = await trio(t)
  await Promise.all(['t1', 't2', 't3'].map(tenantId => limit.take(tenantId, 10)))
  t.equal(limit.tenants, 3)
  await until('they are forgotten', () => limit.tenants === 0)
})

t.test('a clock of Redis that was set back holds nobody up', async t => {
  const { limits: [limit], observer } = await trio(t)
  const inAnHour = (await redisTime(observer) + 3_600_000) * 1000
  await observer.run('test', redis => redis.set(tokensKey('t1'), inAnHour.toFixed(0)))
  t.equal(await take(limit, 't1', 100, 1), 0)
  await until('tokens come', async () => await take(limit, 't1', 100, 1) === 1)
})

t.test('under load a member asks Redis about ten times a second', async t => {
  const { limits, observer } = await trio(t)
  const began = await redisTime(observer)
  let elapsed = 0
  while (elapsed < 2000) {
    for (const limit of limits) for (let i = 0; i < 50; i++) limit.take('t1', 5000)
    await delay(5)
    elapsed = await redisTime(observer) - began
  }
  for (const { fetches } of limits) {
    // A pause lasts for 75 ms at least; a load that has just begun takes some more.
    t.ok(fetches <= 20 + elapsed / 75, `${fetches} in ${elapsed} ms`)
  }
})

t.test('while Redis is gone each member passes its share, and when it is back the limit is shared again', async t => {
  const { server, directories, links, limits, observer } = await trio(t)
  const [a, b] = limits
  t.equal(await take(a, 't1', 30, 30), 30)
  const down = Promise.all([...links, observer].map(link => once(link, 'down')))
  await server.kill()
  await down
  const passed = await Promise.all(limits.map(limit => take(limit, 't2', 30, 100)))
  for (const count of passed) t.ok(count >= 10 && count < 30, `${count} of 30, 10 of them at once`)
  t.equal(a.degraded, 100)
  directories[2].die()
  t.ok(await take(a, 't3', 30, 100) >= 15, 'fewer members, larger shares')
  const up = Promise.all([...links, observer].map(link => once(link, 'up')))
  await server.restart()
  await up
  t.equal(await take(a, 't4', 20, 20), 20)
  const degraded = b.degraded
  t.ok(await take(b, 't4', 20, 100) < 20, 'the other member has taken most of it')
  t.equal(b.degraded, degraded)
})

t.test('when Redis hangs nobody waits longer than the link does', async t => {
  const { server, links: [link], limits: [limit], errors } = await trio(t)
  server.pause()
  t.equal(await take(limit, 't2', 30, 100), 10, 'the share of one of three, answered while it hangs')
  t.equal(errors.length, 1)
  t.equal(limit.degraded, 30, 'more do not wait at all')
  await until('the link is down', () => !link.isUp)
  const up = once(link, 'up')
  server.resume()
  await up
  let tenants = 0
  await until('Redis is asked again', async () => await take(limit, `fresh${++tenants}`, 30, 30) === 30)
})
