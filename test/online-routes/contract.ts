import type { Test } from 'tap'
import type { NodeDirectory } from '../../lib/node-directory/node-directory.js'
import type { OnlineRoutes, Registration } from '../../lib/online-routes/online-routes.js'
import { until } from '../helpers/until.js'

export interface RoutesNode {
  directory: NodeDirectory
  routes: OnlineRoutes
  readonly key: string
}

export interface RoutesNodeOptions {
  leaseMs?: number
  renewMs?: number
  monotonicNow?: () => number
}

/** One store, as the nodes of a cluster see it. */
export interface RoutesHome {
  /** A node that has joined; closed when the test ends. */
  node (nodeId: string, options?: RoutesNodeOptions): Promise<RoutesNode>
  /** How many things are stored that are not about nodes. */
  leftovers (): Promise<number>
}

const [T, U, D] = ['acme', 'alice', 'phone']

/** What both homes promise. */
export function onlineRoutesContract (t: Test, openHome: (t: Test) => Promise<RoutesHome>): void {
  async function cluster (t: Test, ...ids: string[]): Promise<[RoutesHome, ...RoutesNode[]]> {
    const home = await openHome(t)
    const nodes = []
    for (const id of ids) nodes.push(await home.node(id))
    for (const { directory } of nodes) await directory.refresh()
    return [home, ...nodes]
  }

  t.test('a device that registers is found by the other members, each of which is named once', async t => {
    const [home, a, b, c] = await cluster(t, 'a', 'b', 'c')
    const { order, ...rest } = registered(await a.routes.register(T, U, D, 0))
    t.same(rest, { kind: 'registered', replaces: false, elsewhere: [] })
    t.ok(Number.isSafeInteger(order) && order > 0)
    t.same(await b.routes.lookup(T, U), [a.key])
    t.same(await a.routes.lookup(T, U), [], 'what is here is no matter of routes')
    const tablet = registered(await a.routes.register(T, U, 'tablet', 0))
    const laptop = registered(await b.routes.register(T, U, 'laptop', 0))
    t.same(laptop.elsewhere, [a.key])
    t.same(await b.routes.lookup(T, U), [a.key])
    t.same(sorted(await c.routes.lookup(T, U)), [a.key, b.key])
    t.same(await c.routes.lookup(T, 'bob'), [])
    t.same(await c.routes.lookup('other', U), [])
    await a.routes.unregister(T, U, D, order)
    t.same(sorted(await c.routes.lookup(T, U)), [a.key, b.key])
    await a.routes.unregister(T, U, 'tablet', tablet.order)
    t.same(await c.routes.lookup(T, U), [b.key])
    await b.routes.unregister(T, U, 'laptop', laptop.order)
    t.same(await c.routes.lookup(T, U), [])
    t.equal(await home.leftovers(), 0)
  })

  t.test('a device that connects to another member takes its route along, and the former member must hear of it', async t => {
    const [, a, b, c] = await cluster(t, 'a', 'b', 'c')
    const first = registered(await a.routes.register(T, U, D, 0))
    const second = registered(await b.routes.register(T, U, D, 0))
    t.equal(second.replaces, true)
    t.same(second.elsewhere, [a.key])
    t.ok(second.order > first.order)
    t.same(await c.routes.lookup(T, U), [b.key])
    const third = registered(await b.routes.register(T, U, D, 0))
    t.same([third.replaces, third.elsewhere], [true, []], 'to the same member: nobody else needs to hear')
    t.ok(third.order > second.order)
  })

  t.test('registering and unregistering may arrive in any order', async t => {
    const [home, a, b, c] = await cluster(t, 'a', 'b', 'c')
    const first = registered(await a.routes.register(T, U, D, 0))
    const second = registered(await a.routes.register(T, U, D, 0))
    await a.routes.unregister(T, U, D, first.order)
    t.same(await c.routes.lookup(T, U), [a.key], 'an older connection of the same member')
    const third = registered(await b.routes.register(T, U, D, 0))
    await a.routes.unregister(T, U, D, second.order)
    t.same(await c.routes.lookup(T, U), [b.key], 'one of another member')
    await a.routes.unregister(T, U, D, third.order)
    t.same(await c.routes.lookup(T, U), [b.key], 'a route of another member is not removed, though the order be right')
    await b.routes.unregister(T, U, 'tablet', third.order)
    await b.routes.unregister(T, 'bob', D, third.order)
    t.same(await c.routes.lookup(T, U), [b.key], 'another device, another user')
    await b.routes.unregister(T, U, D, third.order)
    await b.routes.unregister(T, U, D, third.order)
    t.same(await c.routes.lookup(T, U), [])
    t.equal(await home.leftovers(), 0)
  })

  t.test('what is asked of one member for one user at once happens in the order asked', async t => {
    const [home, a, b] = await cluster(t, 'a', 'b')
    const { order } = registered(await a.routes.register(T, U, D, 0))
    const again = a.routes.register(T, U, D, 0, order)
    await a.routes.unregister(T, U, D, order)
    t.equal((await again).kind, 'registered')
    t.same(await b.routes.lookup(T, U), [])
    await Promise.all([7, 5, 0].map(count => a.routes.hold(T, U, count)))
    t.same(registered(await b.routes.register(T, U, D, 0)).elsewhere, [])
    const held = a.routes.hold(T, U, 3)
    await Promise.all([a.routes.unregister(T, U, D, order), held])
    t.same(registered(await b.routes.register(T, U, 'tablet', 0)).elsewhere, [a.key])
    await a.routes.hold(T, U, 0)
    for (const device of [D, 'tablet']) {
      const { order } = registered(await b.routes.register(T, U, device, 0))
      await b.routes.unregister(T, U, device, order)
    }
    t.equal(await home.leftovers(), 0)
  })

  t.test('a connection that registers again keeps its place, unless a newer one has registered', async t => {
    const [, a, b, c] = await cluster(t, 'a', 'b', 'c')
    const first = registered(await a.routes.register(T, U, D, 0))
    const again = registered(await a.routes.register(T, U, D, 0, first.order))
    t.equal(again.order, first.order)
    const second = registered(await b.routes.register(T, U, D, 0))
    t.same(await a.routes.register(T, U, D, 0, first.order), { kind: 'replaced' })
    t.same(await c.routes.lookup(T, U), [b.key])
    await b.routes.unregister(T, U, D, second.order)
    // Where the store was emptied, the orders come from those who were there before.
    const later = second.order + 1_000_000_000
    t.match(await a.routes.register(T, U, D, 0, later), { kind: 'registered', order: later, replaces: false })
    const next = registered(await b.routes.register(T, U, D, 0))
    t.ok(next.order > later)
    t.same(next.elsewhere, [a.key])
  })

  t.test('a user has no more devices than allowed; one that is connected already is let in', async t => {
    const [home, a, b] = await cluster(t, 'a', 'b')
    const phone = registered(await a.routes.register(T, U, 'phone', 2))
    registered(await b.routes.register(T, U, 'tablet', 2))
    t.same(await a.routes.register(T, U, 'laptop', 2), { kind: 'refused' })
    t.same(await b.routes.register(T, U, 'laptop', 1), { kind: 'refused' })
    t.same(await b.routes.lookup(T, U), [a.key])
    t.equal(registered(await b.routes.register(T, U, 'phone', 2)).replaces, true)
    t.equal(registered(await b.routes.register(T, U, 'phone', 1)).replaces, true, 'even where the limit was lowered')
    registered(await a.routes.register(T, 'bob', 'laptop', 1))
    registered(await a.routes.register('other', U, 'laptop', 1))
    registered(await a.routes.register(T, U, 'laptop', 0))
    t.same(await a.routes.register(T, U, 'watch', 2), { kind: 'refused' })
    registered(await a.routes.register(T, U, 'watch', 2, phone.order))
    t.ok(await home.leftovers() > 0)
  })

  t.test('the limit is exact when devices connect to several members at once', async t => {
    const [, ...nodes] = await cluster(t, 'a', 'b', 'c')
    for (const round of [1, 2, 3]) {
      const results = await Promise.all(Array.from({ length: 20 }, (_, i) =>
        nodes[i % 3].routes.register(T, `user ${round}`, `device ${i}`, 5)))
      t.equal(results.filter(({ kind }) => kind === 'registered').length, 5)
      t.equal(results.filter(({ kind }) => kind === 'refused').length, 15)
      const orders = results.flatMap(result => result.kind === 'registered' ? result.order : [])
      t.equal(new Set(orders).size, 5)
    }
  })

  t.test('of several connections of a device at once the one with the highest order has the route', async t => {
    const [, ...nodes] = await cluster(t, 'a', 'b', 'c')
    for (const user of ['one', 'two', 'three']) {
      const results = await Promise.all(Array.from({ length: 12 }, async (_, i) => {
        const node = nodes[i % 3]
        return { node, ...registered(await node.routes.register(T, user, D, 1)) }
      }))
      results.sort((one, other) => one.order - other.order)
      const last = results[11]
      t.equal(new Set(results.map(({ order }) => order)).size, 12)
      for (const { node, order } of results.slice(0, 11)) await node.routes.unregister(T, user, D, order)
      const asker = nodes.find(node => node !== last.node) as RoutesNode
      t.same(await asker.routes.lookup(T, user), [last.node.key])
      t.equal(results.filter(({ replaces }) => !replaces).length, 1)
    }
  })

  t.test('who holds messages for a user learns where the user is, and who registers learns who holds', async t => {
    const [home, a, b, c] = await cluster(t, 'a', 'b', 'c')
    t.same(await a.routes.hold(T, U, 3), [])
    t.same(await c.routes.lookup(T, U), [], 'holding is not being online')
    const { order, elsewhere } = registered(await b.routes.register(T, U, D, 1))
    t.same(elsewhere, [a.key])
    t.same(await a.routes.hold(T, U, 4), [b.key])
    t.same(await b.routes.hold(T, U, 1), [], 'here is not elsewhere')
    t.same(registered(await b.routes.register(T, U, 'tablet', 0)).elsewhere, [a.key])
    t.same(sorted(registered(await c.routes.register(T, U, 'laptop', 0)).elsewhere), [a.key, b.key])
    t.same(await a.routes.hold(T, U, 0).then(sorted), [b.key, c.key])
    await b.routes.hold(T, U, 0)
    t.same(registered(await b.routes.register(T, U, D, 0)).elsewhere, [c.key])
    await b.routes.unregister(T, U, D, order)
    t.same(await a.routes.hold(T, 'bob', 0), [], 'of nothing nothing is left')
    for (const [node, device] of [[b, D], [b, 'tablet'], [c, 'laptop']] as const) {
      const { order } = registered(await node.routes.register(T, U, device, 0))
      await node.routes.unregister(T, U, device, order)
    }
    t.equal(await home.leftovers(), 0)
  })

  t.test('of a registration and a hold at once one sees the other', async t => {
    const [, a, b] = await cluster(t, 'a', 'b')
    let [byHolder, byDevice] = [0, 0]
    for (let round = 0; round < 20; round++) {
      await Promise.all(Array.from({ length: 10 }, async (_, i) => {
        const user = `${round} ${i}`
        const [seen, registration] = await Promise.all([
          turns(i % 4).then(() => a.routes.hold(T, user, 1)),
          turns(round % 4).then(() => b.routes.register(T, user, D, 1)),
        ])
        const { elsewhere } = registered(registration)
        if (seen.includes(b.key)) byHolder++
        if (elsewhere.includes(a.key)) byDevice++
        if (!seen.includes(b.key) && !elsewhere.includes(a.key)) t.fail(`neither saw the other: ${user}`)
      }))
    }
    t.equal(byHolder + byDevice, 200, 'and never both')
    t.comment(`${byHolder} seen by the holder, ${byDevice} by the device`)
  })

  t.test('routes and holdings of a member that is gone count for nothing, at once', async t => {
    const [, a, b, gone] = await cluster(t, 'a', 'b', 'gone')
    for (const device of ['phone', 'tablet']) await gone.routes.register(T, U, device, 0)
    await gone.routes.hold(T, U, 5)
    t.same(await a.routes.register(T, U, 'laptop', 2), { kind: 'refused' })
    await gone.directory.leave()
    await a.directory.refresh()
    t.same(await a.routes.lookup(T, U), [])
    t.same(await a.routes.hold(T, U, 1), [])
    const laptop = registered(await a.routes.register(T, U, 'laptop', 1))
    t.same([laptop.replaces, laptop.elsewhere], [false, []])
    t.same(await a.routes.register(T, U, 'phone', 1), { kind: 'refused' })
    const phone = registered(await a.routes.register(T, U, 'phone', 2))
    t.same([phone.replaces, phone.elsewhere], [false, []])
    // One that has not heard yet trusts what it knows, until it looks.
    t.same(await b.routes.lookup(T, U), [a.key])
    t.same(await b.routes.register(T, U, 'watch', 2), { kind: 'refused' })
  })

  t.test('a connection of a member that is gone does not replace one that registers again', async t => {
    const [, a, gone] = await cluster(t, 'a', 'gone')
    const { order } = registered(await a.routes.register(T, U, D, 0))
    await gone.routes.register(T, U, D, 0)
    await gone.directory.leave()
    t.match(await a.routes.register(T, U, D, 0, order), { kind: 'replaced' }, 'as far as it is known')
    await a.directory.refresh()
    t.match(await a.routes.register(T, U, D, 0, order), { kind: 'registered', order, replaces: false, elsewhere: [] })
  })

  t.test('a member that has just joined counts for those who have not heard of it', async t => {
    const [home, a] = await cluster(t, 'a')
    for (const [index, ask] of [
      async (user: string, key: string) => t.same(await a.routes.lookup(T, user), [key]),
      async (user: string, key: string) => t.same(await a.routes.hold(T, user, 1), [key]),
      async (user: string) => t.same(await a.routes.register(T, user, 'tablet', 1), { kind: 'refused' }),
      async (user: string, key: string) =>
        t.match(await a.routes.register(T, user, D, 1), { replaces: true, elsewhere: [key] }),
      async (user: string) => t.match(await a.routes.register(T, user, D, 1, 1), { kind: 'replaced' }),
    ].entries()) {
      const node = await home.node(`new ${index}`)
      await node.routes.register(T, `user ${index}`, D, 0)
      t.equal(a.directory.get(node.key), undefined)
      await ask(`user ${index}`, node.key)
      t.ok(a.directory.get(node.key))
    }
    const holder = await home.node('holder')
    await holder.routes.hold(T, 'bob', 1)
    t.same(registered(await a.routes.register(T, 'bob', D, 1)).elsewhere, [holder.key])
  })

  t.test('that a member is gone is looked up once, not for each of its users', async t => {
    const [home, a] = await cluster(t, 'a')
    const gone = await home.node('gone')
    for (let i = 0; i < 20; i++) await gone.routes.register(T, `user ${i}`, D, 0)
    await gone.directory.leave()
    let refreshes = 0
    const { refresh } = a.directory
    a.directory.refresh = async () => {
      refreshes++
      await refresh.call(a.directory)
    }
    for (let i = 0; i < 20; i++) t.same(await a.routes.lookup(T, `user ${i}`), [])
    t.equal(refreshes, 1)
  })

  t.test('a process that was stopped for longer than its lease first learns who is there', async t => {
    let time = 0
    const home = await openHome(t)
    const a = await home.node('a', { monotonicNow: () => time })
    for (const [user, ask] of Object.entries({
      lookup: async () => t.same(await a.routes.lookup(T, 'lookup'), []),
      hold: async () => t.same(await a.routes.hold(T, 'hold', 1), []),
      register: async () => t.match(await a.routes.register(T, 'register', D, 1), { replaces: false, elsewhere: [] }),
    })) {
      const gone = await home.node('gone')
      await gone.routes.register(T, user, D, 0)
      t.same(await a.routes.lookup(T, user), [gone.key])
      await gone.directory.leave()
      t.same(await a.routes.lookup(T, user), [gone.key])
      time += 1_000_000
      await ask()
    }
  })

  t.test('what a dead member left behind is removed by one survivor: its routes and holdings, and no others', async t => {
    const home = await openHome(t)
    const short = { leaseMs: 400, renewMs: 50 }
    const [a, b] = [await home.node('a', short), await home.node('b', short)]
    const dead = await home.node('dead', short)
    const burials: Array<Promise<unknown>> = []
    for (const { routes, directory } of [a, b]) {
      directory.on('abandoned', key => burials.push(routes.bury(key).then(async buried => {
        await directory.buried(key)
        return { key, routes: buried.routes, lost: Object.fromEntries(buried.lostMessages) }
      })))
    }
    for (let i = 0; i < 300; i++) await dead.routes.register(i % 2 === 0 ? T : 'other', `user ${i}`, D, 0)
    for (const device of ['phone', 'tablet']) await dead.routes.register(T, U, device, 0)
    await dead.routes.hold(T, U, 3)
    await dead.routes.hold(T, 'bob', 4)
    await dead.routes.hold('other', U, 5)
    await dead.routes.hold('other', 'bob', 6)
    await dead.routes.hold('other', 'bob', 0)
    await b.routes.register(T, 'user 0', D, 0)
    await b.routes.register(T, U, 'laptop', 0)
    await b.routes.hold(T, U, 1)
    dead.directory.close()
    await until('somebody was chosen', () => burials.length > 0)
    t.same(await Promise.all(burials), [{ key: dead.key, routes: 301, lost: { [T]: 7, other: 5 } }])
    t.same(await a.routes.lookup(T, U), [b.key])
    t.same(await a.routes.lookup(T, 'user 0'), [b.key])
    t.same(registered(await a.routes.register(T, U, 'watch', 0)).elsewhere, [b.key])
    const again = await a.routes.bury(dead.key)
    t.same([again.routes, again.lostMessages.size], [0, 0], 'to do it again does no harm')
  })

  t.test('a node that comes back is not taken for its former self', async t => {
    const home = await openHome(t)
    const [a, former] = [await home.node('a'), await home.node('b')]
    await former.routes.register(T, U, D, 0)
    await former.routes.register(T, 'bob', D, 0)
    await former.routes.hold(T, U, 2)
    await former.directory.leave()
    const b = await home.node('b')
    t.not(b.key, former.key)
    t.same(await a.routes.lookup(T, U), [])
    await b.routes.register(T, U, D, 0)
    await b.routes.hold(T, U, 1)
    t.same(await a.routes.lookup(T, U), [b.key])
    const { routes, lostMessages } = await a.routes.bury(former.key)
    t.same([routes, [...lostMessages]], [1, [[T, 2]]])
    t.same(await a.routes.lookup(T, U), [b.key])
    t.same(registered(await a.routes.register(T, U, 'tablet', 0)).elsewhere, [b.key])
  })

  t.test('a node that lost its lease registers under its new key; its former one is no longer named', async t => {
    const home = await openHome(t)
    const short = { leaseMs: 400, renewMs: 50 }
    const [a, b] = [await home.node('a', short), await home.node('b', short)]
    const { order } = registered(await b.routes.register(T, U, D, 1))
    await b.routes.hold(T, 'bob', 1)
    await a.directory.refresh()
    b.directory.close()
    const former = b.key
    await until('the lease has ended', () => a.directory.get(former) === undefined)
    await b.directory.refresh()
    t.not(b.key, former)
    t.same(await a.routes.lookup(T, U), [])
    t.match(await b.routes.register(T, U, D, 1, order), { kind: 'registered', order, replaces: false, elsewhere: [] })
    await b.routes.hold(T, 'bob', 1)
    t.same(await a.routes.lookup(T, U), [b.key])
    t.same(registered(await a.routes.register(T, 'bob', D, 1)).elsewhere, [b.key])
    await b.routes.unregister(T, U, D, order)
    t.same(await a.routes.lookup(T, U), [])
  })

  t.test('any ids will do, and different ones are different', async t => {
    const [home, a, b] = await cluster(t, 'a', 'b')
    const ids = [
      ' ', '0', '-', ':', '::', '|', '%', '%3A', '%%', '{', '}', '{}', '{a}', 'a:b', 'a|b', 'a#1', '#', '\\', '"', "'",
      'null', 'undefined', '__proto__', 'ü', '你好', '👩‍👩‍👧', '\u0301', 'x'.repeat(129), 'x'.repeat(4096),
    ]
    // Ids of users and devices come from the tenant's servers and from clients, who may send anything.
    const others = [...ids, '', '\n', '\0', 'a\0b']
    const cases = [
      ...ids.map(id => [id, U, D]),
      ...others.flatMap(id => [[T, id, D], [T, U, id]]),
      ['a', 'b:c', D], ['a:b', 'c', D], ['a', '}:{', D], ['a}', ':{', D], ['a', 'b', 'c'], ['a', '', 'bc'],
    ]
    const orders: number[] = []
    for (const [tenant, user, device] of cases) {
      const { order, replaces } = registered(await b.routes.register(tenant, user, device, 0))
      orders.push(order)
      if (replaces) t.fail(`taken for another: ${JSON.stringify([tenant, user, device])}`)
    }
    for (const [index, [tenant, user, device]] of cases.entries()) {
      t.same(await a.routes.lookup(tenant, user), [b.key])
      await a.routes.hold(tenant, user, 1)
      await b.routes.unregister(tenant, user, device, orders[index])
    }
    for (const [tenant, user] of cases) {
      t.same(await a.routes.lookup(tenant, user), [])
      await a.routes.hold(tenant, user, 0)
    }
    t.equal(await home.leftovers(), 0)
    for (const [tenant, user, device] of cases) await b.routes.register(tenant, user, device, 0)
    await b.directory.leave()
    const { routes } = await a.routes.bury(b.key)
    t.equal(routes, cases.length)
    t.equal(await home.leftovers(), 0)
  })
}

export function registered (registration: Registration): Extract<Registration, { kind: 'registered' }> {
  if (registration.kind !== 'registered') throw new Error(`expected to be registered, is ${registration.kind}`)
  return registration
}

function sorted (keys: readonly string[]): string[] {
  return [...keys].sort()
}

/** Some turns of the event loop. */
async function turns (count: number): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise(setImmediate)
}
