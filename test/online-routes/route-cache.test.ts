import t from 'tap'
import { RouteCache, UNKNOWN } from '../../lib/online-routes/route-cache.js'
import type { Member } from '../../lib/node-directory/node-directory.js'

const [T, U] = ['acme', 'alice']
const TTL_MS = 1000

/** A directory and routes that do what the test says. */
function setup ({ ttlMs = TTL_MS, maxEntries = 100, others = ['b#1', 'c#1'] } = {}) {
  const clock = { time: 5000 }
  const self = memberOf('a#1')
  const directory = {
    self,
    list: [self, ...others.map(memberOf)] as Member[],
    members () { return this.list },
    get (key: string) { return this.list.find(member => member.key === key) },
  }
  const lookups: Array<{ user: string, answer: (members: string[]) => void, fail: () => void }> = []
  const routes = {
    lookup: (tenantId: string, userId: string) => new Promise<readonly string[]>((resolve, reject) => {
      lookups.push({ user: `${tenantId}/${userId}`, answer: resolve, fail: () => reject(new Error('Redis is gone')) })
    }),
  }
  const cache = new RouteCache(routes, directory, { ttlMs, maxEntries, now: () => clock.time })
  /** Finds, where that takes a lookup which answers this. */
  const learn = async (members: string[], userId = U, tenantId = T): Promise<readonly string[]> => {
    const found = cache.find(tenantId, userId)
    lookups[lookups.length - 1].answer(members)
    return await found
  }
  return { cache, clock, directory, lookups, learn }
}

function memberOf (key: string): Member {
  return { key, nodeId: key.slice(0, 1), incarnation: 1, endpoint: '', isDraining: false }
}

t.test('a node that is alone has nowhere to look', async t => {
  const { cache, directory, lookups } = setup({ others: [] })
  t.same(cache.find(T, U), [])
  t.equal(lookups.length, 0)
  directory.list = [memberOf('b#1')]
  t.ok(cache.find(T, U) instanceof Promise, 'another who is alone is not this node')
})

t.test('what was looked up is known at once until its time is over', async t => {
  const { cache, clock, lookups, learn } = setup()
  t.same(await learn(['b#1']), ['b#1'])
  clock.time += TTL_MS - 1
  t.same(cache.find(T, U), ['b#1'])
  t.equal(cache.find(T, U), cache.find(T, U), 'without a copy')
  clock.time += 1
  t.same(await learn([]), [])
  t.same(cache.find(T, U), [], 'that a user is nowhere is known as well')
  t.same(lookups.map(({ user }) => user), ['acme/alice', 'acme/alice'])
  t.equal(cache.degraded, 0)
})

t.test('its time begins when the lookup began', async t => {
  const { cache, clock, lookups } = setup()
  const found = cache.find(T, U)
  clock.time += TTL_MS
  lookups[0].answer(['b#1'])
  t.same(await found, ['b#1'])
  t.ok(cache.find(T, U) instanceof Promise)
})

t.test('users and tenants are told apart', async t => {
  const { cache, learn } = setup()
  await learn(['b#1'])
  await learn(['c#1'], 'bob')
  await learn([], U, 'other')
  t.same([cache.find(T, U), cache.find(T, 'bob'), cache.find('other', U)], [['b#1'], ['c#1'], []])
  t.equal(cache.size, 3)
})

t.test('whoever asks while a lookup is under way shares it', async t => {
  const { cache, lookups } = setup()
  const found = [cache.find(T, U), cache.find(T, U)]
  t.equal(lookups.length, 1)
  lookups[0].answer(['b#1'])
  t.same(await Promise.all(found), [['b#1'], ['b#1']])
})

t.test('members that are gone by now are left out', async t => {
  const { cache, directory, learn } = setup()
  await learn(['b#1', 'c#1'])
  directory.list = directory.list.filter(({ key }) => key !== 'b#1')
  t.same(cache.find(T, U), ['c#1'])
})

t.test('what is forgotten is looked up anew', async t => {
  const { cache, learn } = setup()
  await learn(['b#1'])
  await learn(['c#1'], 'bob')
  cache.forget(T, U)
  cache.forget(T, 'nobody')
  cache.forget('other', 'bob')
  t.equal(cache.size, 1)
  t.same(cache.find(T, 'bob'), ['c#1'])
  t.same(await learn(['c#1']), ['c#1'])
})

t.test('a lookup that was under way when the user was forgotten is neither shared nor remembered', async t => {
  const { cache, lookups } = setup()
  const before = cache.find(T, U)
  cache.forget(T, U)
  const after = cache.find(T, U)
  t.equal(lookups.length, 2)
  lookups[1].answer(['c#1'])
  t.same(await after, ['c#1'])
  lookups[0].answer(['b#1'])
  t.same(await before, ['b#1'])
  t.same(cache.find(T, U), ['c#1'])
})

t.test('a fresh find looks up whatever is known or under way', async t => {
  const { cache, lookups, learn } = setup()
  await learn(['b#1'])
  const first = cache.findFresh(T, U)
  const second = cache.findFresh(T, U)
  t.equal(lookups.length, 3)
  lookups[2].answer(['c#1'])
  lookups[1].answer(['b#1'])
  t.same([await first, await second], [['b#1'], ['c#1']])
  t.same(cache.find(T, U), ['c#1'])
})

t.test('where Redis does not answer it is what was known, however old, and that is counted', async t => {
  const { cache, clock, directory, lookups, learn } = setup()
  await learn(['b#1', 'c#1'])
  clock.time += 100 * TTL_MS
  directory.list = directory.list.filter(({ key }) => key !== 'c#1')
  const known = cache.find(T, U)
  const unknown = cache.find(T, 'bob')
  lookups.forEach(({ fail }) => fail())
  t.same([await known, await unknown], [['b#1'], []])
  t.equal(await unknown, UNKNOWN, 'which is not the same as nowhere')
  t.equal(cache.degraded, 2)
  t.same(await learn(['b#1'], 'bob'), ['b#1'], 'it is tried again each time')
  t.same(await learn([]), [])
})

t.test('without a time to live every find looks up', async t => {
  const { cache, lookups, learn } = setup({ ttlMs: 0 })
  await learn(['b#1'])
  await learn(['b#1'])
  t.equal(lookups.length, 2)
  t.same([cache.find(T, U), cache.find(T, U)].map(found => found instanceof Promise), [true, true])
  t.equal(lookups.length, 3, 'but those at one time share one')
})

t.test('it remembers no more users than it may, and the latest of them', async t => {
  const { cache, lookups, learn } = setup({ maxEntries: 100 })
  for (let i = 0; i < 1000; i++) {
    await learn(['b#1'], `user ${i}`, `tenant ${i % 7}`)
    if (cache.size > 100) t.fail(`${cache.size} users`)
  }
  t.ok(cache.size >= 50)
  for (let i = 951; i < 1000; i++) t.same(cache.find(`tenant ${i % 7}`, `user ${i}`), ['b#1'])
  t.equal(lookups.length, 1000)
  cache.forget(`tenant ${999 % 7}`, 'user 999')
  const { size } = cache
  await learn(['b#1'], 'user 999', `tenant ${999 % 7}`)
  t.equal(cache.size, size + 1)
})

t.test('one that is looked up again is counted once', async t => {
  const { cache, clock, learn } = setup({ maxEntries: 10 })
  for (const users of [4, 8]) {
    for (let round = 0; round < 3; round++) {
      for (let i = 0; i < users; i++) await learn(['b#1'], `user ${i}`)
      if (users === 4) t.equal(cache.size, 4)
      clock.time += TTL_MS
    }
    for (let i = 0; i < users; i++) cache.forget(T, `user ${i}`)
    t.equal(cache.size, 0)
  }
})
