import t, { type Test } from 'tap'
import { RedisNodeDirectory } from '../../lib/node-directory/redis-node-directory.js'
import { RedisOnlineRoutes } from '../../lib/online-routes/redis-online-routes.js'
import { deadMembersKey, leasesKey, memberInfoKey, memberUsersKey } from '../../lib/redis/keys.js'
import { RedisUnavailableError, type RedisLink } from '../../lib/redis/redis-link.js'
import { connectLink, onEachMaster } from '../helpers/redis-link.js'
import { withRedis, withRedisCluster } from '../helpers/redis-server.js'
import { until } from '../helpers/until.js'
import { onlineRoutesContract, registered, type RoutesHome, type RoutesNode, type RoutesNodeOptions } from './contract.js'

const [T, U, D] = ['acme', 'alice', 'phone']

interface RedisRoutesNode extends RoutesNode {
  directory: RedisNodeDirectory
  routes: RedisOnlineRoutes
  link: RedisLink
}

async function withNode (
  t: Test, url: string, nodeId: string, options: RoutesNodeOptions = {}
): Promise<RedisRoutesNode> {
  const link = await connectLink(t, url)
  const directory = new RedisNodeDirectory(link, {
    nodeId, endpoint: () => `http://${nodeId}:8081`, leaseMs: 60_000, renewMs: 60_000, ...options,
  })
  const routes = new RedisOnlineRoutes(link, directory)
  t.teardown(() => {
    routes.close()
    directory.close()
  })
  await directory.join()
  return { link, directory, routes, get key () { return directory.self.key } }
}

/** An empty Redis. Each node has a link of its own. */
async function openHome (t: Test, url: string): Promise<RoutesHome> {
  const link = await connectLink(t, url)
  await onEachMaster(link, master => master.flushall())
  return {
    node: (nodeId, options) => withNode(t, url, nodeId, options),
    leftovers: async () => {
      const sizes = await onEachMaster(link, master => master.dbsize())
      const ofNodes = await link.run('test', redis => redis.exists(leasesKey, memberInfoKey, deadMembersKey))
      return sizes.reduce((sum, size) => sum + size, 0) - ofNodes
    },
  }
}

/** That nothing has walked through all keys. */
async function neverScanned (t: Test, url: string): Promise<void> {
  const stats = await onEachMaster(await connectLink(t, url), master => master.info('commandstats'))
  t.match(stats.join(), /cmdstat_evalsha/)
  t.notMatch(stats.join(), /cmdstat_(keys|scan|randomkey):/)
}

t.test('with a single Redis', async t => {
  const { url } = await withRedis(t)
  onlineRoutesContract(t, t => openHome(t, url))
  t.test('the keyspace is never scanned', t => neverScanned(t, url))
})

t.test('with a Redis Cluster', async t => {
  const { url } = await withRedisCluster(t)
  onlineRoutesContract(t, t => openHome(t, url))
  t.test('the keyspace is never scanned', t => neverScanned(t, url))
})

t.test('the users of a member are listed before there is anything, and no longer than there is', async t => {
  const { url } = await withRedis(t)
  const { routes, link, key } = await withNode(t, url, 'a')
  const users = (): Promise<string[]> => link.run('test', redis => redis.smembers(memberUsersKey(key)))
  const { order } = registered(await routes.register(T, U, D, 1))
  t.same(await users(), [`${T}\0${U}`])
  t.same(await routes.register(T, U, 'tablet', 1), { kind: 'refused' })
  await routes.hold(T, U, 1)
  await routes.unregister(T, U, D, order)
  t.same(await users(), [`${T}\0${U}`], 'it holds something')
  await routes.hold(T, U, 0)
  t.same(await users(), [])
  // All at once, in every order.
  for (let round = 0; round < 20; round++) {
    const { order } = registered(await routes.register(T, U, D, 1))
    const again = routes.register(T, U, D, 1)
    const gone = routes.unregister(T, U, D, order)
    const refused = routes.register(T, U, 'tablet', 1)
    const held = [routes.hold(T, U, 1), routes.hold(T, U, 0)]
    await Promise.all([gone, refused, ...held])
    t.same(await users(), [`${T}\0${U}`])
    await routes.unregister(T, U, D, registered(await again).order)
    t.same(await users(), [])
  }
})

t.test('a refused connection leaves nothing behind', async t => {
  const { url } = await withRedis(t)
  const home = await openHome(t, url)
  const [a, b] = [await withNode(t, url, 'a'), await withNode(t, url, 'b')]
  const { order } = registered(await a.routes.register(T, U, D, 1))
  await b.directory.refresh()
  t.same(await b.routes.register(T, U, 'tablet', 1), { kind: 'refused' })
  t.same(await b.routes.register(T, U, D, 1, 1), { kind: 'replaced' })
  await a.routes.unregister(T, U, D, order)
  t.equal(await home.leftovers(), 0)
})

t.test('what failed half way is removed when it is done again, and nothing is counted twice', async t => {
  const { url } = await withRedis(t)
  const home = await openHome(t, url)
  const [a, dead] = [await withNode(t, url, 'a'), await withNode(t, url, 'dead')]
  await Promise.all(Array.from({ length: 600 }, async (_, i) => {
    await dead.routes.register(T, `user ${i}`, D, 0)
    await dead.routes.hold(T, `user ${i}`, 1)
  }))
  await dead.directory.leave()
  let [routes, lost, calls] = [0, 0, 0]
  const run = a.link.run.bind(a.link)
  a.link.run = async (operation, commands) => {
    const result = await run(operation, commands)
    if (operation === 'bury' && Array.isArray(result) && typeof result[0] === 'number') {
      routes += result[0]
      lost += Number(result[1])
    }
    if (++calls === 333) throw new RedisUnavailableError(operation)
    return result
  }
  await t.rejects(a.routes.bury(dead.key), RedisUnavailableError)
  const rest = await a.routes.bury(dead.key)
  t.ok(rest.routes > 0)
  t.ok(rest.routes < 600)
  t.equal(routes, 600)
  t.equal(lost, 600)
  t.equal(await home.leftovers(), 0)
})

t.test('a registration whose answer was lost is undone, and no later one with it', async t => {
  const { url } = await withRedis(t)
  const home = await openHome(t, url)
  const [a, b] = [await withNode(t, url, 'a'), await withNode(t, url, 'b')]
  const run = a.link.run.bind(a.link)
  const lose = async (step: () => Promise<unknown>): Promise<void> => {
    a.link.run = async (operation, commands) => {
      const result = await run(operation, commands)
      if (Array.isArray(result)) throw new RedisUnavailableError(operation)
      return result
    }
    await t.rejects(step(), RedisUnavailableError)
    a.link.run = run
  }

  await lose(() => a.routes.register(T, U, D, 1))
  t.same(await b.routes.lookup(T, U), [a.key], 'it has taken effect')
  t.equal(a.routes.doubtful, 1)
  await until('it is undone', () => a.routes.doubtful === 0)
  t.same(await b.routes.lookup(T, U), [])
  t.equal(await home.leftovers(), 0)

  await lose(() => a.routes.register(T, U, D, 1))
  t.match(await a.routes.register(T, U, 'tablet', 1), { kind: 'registered' }, 'it takes no place from another device')
  await lose(() => a.routes.register(T, 'bob', D, 1))
  const { order, replaces } = registered(await a.routes.register(T, 'bob', D, 1))
  t.equal(replaces, false)
  t.equal(a.routes.doubtful, 0)
  // Where the client was let in without Redis, it has an order of this node's making.
  await lose(() => a.routes.register(T, 'carol', D, 1))
  t.match(await a.routes.register(T, 'carol', D, 0, 5), { kind: 'registered', order: 5 })
  t.same(await b.routes.lookup(T, 'bob'), [a.key])
  await lose(() => a.routes.register(T, 'bob', D, 1, order))
  t.equal(a.routes.doubtful, 0, 'whoever has an order registers again')
})

t.test('a registration while the node joins again is under its new key', async t => {
  const { url } = await withRedis(t)
  const [a, b] = [await withNode(t, url, 'a'), await withNode(t, url, 'b')]
  for (let round = 0; round < 20; round++) {
    const former = a.key
    await b.link.run('test', redis => redis.zrem(leasesKey, former))
    const user = `user ${round}`
    const [registration] = await Promise.all([
      a.routes.register(T, user, D, 1), a.directory.refresh(), a.routes.hold(T, `held ${round}`, 1),
    ])
    t.not(a.key, former)
    await b.directory.refresh()
    t.same(await b.routes.lookup(T, user), [a.key])
    t.same(registered(await b.routes.register(T, `held ${round}`, D, 1)).elsewhere, [a.key])
    await a.routes.unregister(T, user, D, registered(registration).order)
    t.same(await b.routes.lookup(T, user), [])
  }
})

t.test('after Redis came back empty what registers again is found, and is found when its node dies', async t => {
  const server = await withRedis(t)
  const [a, b] = [await withNode(t, server.url, 'a'), await withNode(t, server.url, 'b')]
  const { order } = registered(await a.routes.register(T, U, D, 1))
  await a.routes.hold(T, 'bob', 2)
  let done: Promise<unknown> | undefined
  a.directory.on('reset', () => {
    done = Promise.all([a.routes.register(T, U, D, 0, order), a.routes.hold(T, 'bob', 2)])
  })
  await server.restart()
  await until('it was reset', () => done !== undefined)
  await done
  await until('the other is back', () => b.directory.refresh().then(() => true, () => false))
  t.same(await b.routes.lookup(T, U), [a.key])
  await a.directory.leave()
  const { routes, lostMessages } = await b.routes.bury(a.key)
  t.same([routes, [...lostMessages]], [1, [[T, 2]]])
})

t.test('after one of several Redis processes came back empty the users of a member are listed again', async t => {
  const { url } = await withRedis(t)
  const { routes, directory, link, key } = await withNode(t, url, 'a')
  const { order } = registered(await routes.register(T, U, D, 1))
  await link.run('test', redis => redis.del(memberUsersKey(key)))
  let isReset = false
  directory.on('reset', () => { isReset = true })
  link.emit('restarted')
  await until('it was reset', () => isReset)
  t.equal(directory.self.key, key, 'its lease was in another')
  await routes.register(T, U, D, 0, order)
  t.same(await link.run('test', redis => redis.smembers(memberUsersKey(key))), [`${T}\0${U}`])
})

t.test('while Redis is gone every call rejects', async t => {
  const server = await withRedis(t)
  const { routes } = await withNode(t, server.url, 'a')
  await server.kill()
  const calls: Array<() => Promise<unknown>> = [
    () => routes.register(T, U, D, 1),
    () => routes.unregister(T, U, D, 1),
    () => routes.lookup(T, U),
    () => routes.hold(T, U, 1),
    () => routes.bury('b#1'),
  ]
  for (const call of calls) await t.rejects(call(), RedisUnavailableError)
})

t.test('where the device was is told of although this node becomes another member while it registers', async t => {
  const { url } = await withRedis(t)
  const [a, b] = [await withNode(t, url, 'a'), await withNode(t, url, 'b')]
  await b.routes.register(T, 'bob', D, 0)
  await a.directory.refresh()
  const before = a.directory.self.key
  const run = a.link.run.bind(a.link)
  a.link.run = async (operation, commands) => {
    const result = await run(operation, commands)
    if (operation === 'routes' && a.directory.self.key === before) {
      await run('test', redis => redis.zrem(leasesKey, before))
      await a.directory.refresh()
    }
    return result
  }
  t.match(await a.routes.register(T, 'bob', D, 0), { kind: 'registered', elsewhere: [b.directory.self.key] })
  t.not(a.directory.self.key, before)
})
