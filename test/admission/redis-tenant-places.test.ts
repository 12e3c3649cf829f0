import { once } from 'node:events'
import { setImmediate } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { RedisTenantPlaces } from '../../lib/admission/redis-tenant-places.js'
import { connectionsKey } from '../../lib/redis/keys.js'
import type { RedisLink } from '../../lib/redis/redis-link.js'
import { fixedDirectories, type FixedDirectory } from '../helpers/fixed-directory.js'
import { connectLink } from '../helpers/redis-link.js'
import { withRedis, withRedisCluster } from '../helpers/redis-server.js'
import { until } from '../helpers/until.js'
import { tenantPlacesContract } from './tenant-places-contract.js'

async function stored (link: RedisLink, tenantId: string): Promise<Record<string, number>> {
  const fields = await link.run('test', redis => redis.hgetall(connectionsKey(tenantId)))
  return Object.fromEntries(Object.entries(fields).map(([member, count]) => [member, Number(count)]))
}

for (const [where, start] of Object.entries({ 'a single Redis': withRedis, 'a Redis Cluster': withRedisCluster })) {
  t.test(`on ${where}`, async t => {
    const { url } = await start(t)
    await tenantPlacesContract(t, async (t, directories) => {
      const links = await Promise.all(directories.map(() => connectLink(t, url)))
      const places = directories.map((directory, i) => new RedisTenantPlaces(links[i], directory))
      t.teardown(() => { for (const each of places) each.close() })
      return { places, stored: tenantId => stored(links[0], tenantId) }
    })
  })
}

/** Two members on one Redis, with an impatient link each. */
async function pair (t: Test) {
  const server = await withRedis(t)
  const directories = fixedDirectories(2)
  const impatient = { timeoutMs: 200, probeIntervalMs: 50 }
  const links = await Promise.all(directories.map(() => connectLink(t, server.url, impatient)))
  const errors: unknown[] = []
  const places = directories.map((directory: FixedDirectory, i) =>
    new RedisTenantPlaces(links[i], directory, error => errors.push(error)))
  t.teardown(() => { for (const each of places) each.close() })
  const observer = await connectLink(t, server.url)
  return {
    server, directories, links, places, errors, observer, stored: (tenantId: string) => stored(observer, tenantId),
  }
}

t.test('a member that joins again while a place is asked for counts under its new name', async t => {
  const { directories, places: [a], stored } = await pair(t)
  const asked = a.take('t1', 5)
  await setImmediate()
  directories[0].rejoin()
  await a.assert()
  t.equal(await asked, true)
  t.same(await stored('t1'), { 'node1#2': 1 })
})

t.test('connections that come in one turn of the event loop share a call', async t => {
  const { links: [link], directories: [directory] } = await pair(t)
  let calls = 0
  const counting = {
    isUp: true,
    on: () => link,
    off: () => link,
    run: (...args: Parameters<RedisLink['run']>) => {
      calls++
      return link.run(...args)
    },
  } as unknown as RedisLink
  const places = new RedisTenantPlaces(counting, directory)
  const answers = await Promise.all(Array.from({ length: 100 }, () => places.take('t1', 60)))
  t.same(answers, Array.from({ length: 100 }, (_, i) => i < 60), 'the first get the places')
  t.equal(calls, 1)
  const mixed = await Promise.all([places.take('t2', 1), places.take('t2', 1), places.take('t2', 3)])
  t.same(mixed, [true, false, true], 'each by the limit it came with')
  for (let i = 0; i < 50; i++) places.release('t1')
  const before = calls
  await until('it is written', async () => (await stored(link, 't1'))['node1#1'] === 10)
  t.equal(calls, before + 1, 'so do places given back')
})

t.test('while Redis is gone a member keeps the limit for itself, and says so when Redis is back, empty', async t => {
  const { server, places: [a, b], links, errors, observer, stored } = await pair(t)
  t.equal(await a.take('t1', 4), true)
  t.equal(await b.take('t1', 4), true)
  const down = Promise.all([...links, observer].map(link => once(link, 'down')))
  await server.kill()
  await down
  for (let i = 0; i < 3; i++) t.equal(a.take('t1', 4), true)
  t.equal(a.take('t1', 4), false)
  t.equal(a.degraded, 3)
  b.take('t1', 0)
  await until('the failed write was reported', () => errors.length > 0)
  const up = Promise.all([...links, observer].map(link => once(link, 'up')))
  await server.restart()
  await up
  await Promise.all([a.assert(), b.assert()])
  t.same(await stored('t1'), { 'node1#1': 4, 'node2#1': 2 })
  t.equal(await b.take('t1', 6), false)
  t.equal(await b.take('t1', 7), true)
})

t.test('while Redis is gone saying it again fails', async t => {
  const { server, places: [a], links: [link] } = await pair(t)
  a.take('t1', 0)
  const down = once(link, 'down')
  await server.kill()
  await down
  await t.rejects(a.assert(), { code: 'MICS_REDIS_UNAVAILABLE' })
  await t.rejects(a.bury('node2#1', ['t1']), { code: 'MICS_REDIS_UNAVAILABLE' })
})

t.test('when Redis hangs nobody waits longer than the link does, and what was missed is written afterwards', async t => {
  const { server, places: [a], links: [link], stored } = await pair(t)
  for (let i = 0; i < 3; i++) t.equal(await a.take('t1', 5), true)
  server.pause()
  const asked = [1, 2, 3].map(() => a.take('t1', 5))
  a.release('t1')
  t.same(await Promise.all(asked), [true, true, true], 'answered while it hangs')
  t.equal(a.take('t1', 5), false)
  const up = once(link, 'up')
  server.resume()
  await up
  await until('the count is right', async () => (await stored('t1'))['node1#1'] === 5)
})
