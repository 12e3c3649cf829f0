import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import type { Place } from '../../lib/presence/presence.js'
import { until } from '../helpers/until.js'
import { PlacedSession, presenceNodes, routeOf } from './presence-nodes.js'

function isIn (answer: unknown): answer is PlacedSession {
  return answer instanceof PlacedSession
}

async function connected (connecting: Promise<unknown>): Promise<PlacedSession> {
  const answer = await connecting
  if (!isIn(answer)) throw new Error(`not let in: ${String(answer)}`)
  return answer
}

/** Two gates: tells when somebody waits, and lets them go on. */
function gate () {
  let open!: () => void
  let reach!: () => void
  const opened = new Promise<void>(resolve => { open = resolve })
  const reached = new Promise<void>(resolve => { reach = resolve })
  const pass = async (): Promise<void> => {
    reach()
    await opened
  }
  return { open, reached, pass }
}

t.test("a user's devices are counted over all nodes, up to the limit", async t => {
  const [one, two] = await presenceNodes(t, 2)
  const limits = { userMaxConnections: 2 }
  const first = await connected(one.connect('bob', 'd1', limits))
  await connected(two.connect('bob', 'd2', limits))
  t.equal(await one.connect('bob', 'd3', limits), 'user_connections')
  t.equal(await two.connect('bob', 'd3', limits), 'user_connections')
  await connected(two.connect('carol', 'd1', limits))
  first.close(1000)
  await until('the place is free', () => routeOf(one, 'bob', 'd1') === undefined)
  await connected(two.connect('bob', 'd3', limits))
})

t.test("a tenant's connections are counted over all nodes, and who finds no place leaves no route", async t => {
  const [one, two] = await presenceNodes(t, 2)
  const limits = { tenantMaxConnections: 2 }
  const first = await connected(one.connect('bob', 'd1', limits))
  await connected(two.connect('carol', 'd1', limits))
  t.equal(await one.connect('dave', 'd1', limits), 'tenant_connections')
  t.equal(await two.connect('erin', 'd1', limits), 'tenant_connections')
  await until('the routes are gone', () =>
    routeOf(one, 'dave', 'd1') === undefined && routeOf(two, 'erin', 'd1') === undefined)
  first.close(1000)
  await connected(two.connect('erin', 'd1', limits))
})

t.test('a device that reconnects elsewhere takes its own place again at a full limit, and its old session ends', async t => {
  const [one, two] = await presenceNodes(t, 2)
  const limits = { userMaxConnections: 1, tenantMaxConnections: 1 }
  const old = await connected(one.connect('bob', 'd1', limits))
  const young = await connected(two.connect('bob', 'd1', limits))
  t.strictSame(old.closedWith, [4409])
  t.strictSame(one.moves, [`t1 bob ${two.directory.self.key}`], 'what waited there for bob has moved')
  t.strictSame(one.forgotten, ['t1 bob'])
  t.equal(one.connections.count, 0)
  t.equal(routeOf(two, 'bob', 'd1'), `${two.directory.self.key} ${young.place.order}`)
  t.strictSame(young.closedWith, [])
  t.equal(await one.connect('carol', 'd1', limits), 'tenant_connections', 'the old place is no second one')
})

t.test('a device that reconnects to its own node keeps one route, the newer', async t => {
  const [one] = await presenceNodes(t, 1)
  const limits = { userMaxConnections: 1, tenantMaxConnections: 1 }
  const old = await connected(one.connect('bob', 'd1', limits))
  const young = await connected(one.connect('bob', 'd1', limits))
  t.strictSame(old.closedWith, [4409])
  t.equal(routeOf(one, 'bob', 'd1'), `${one.directory.self.key} ${young.place.order}`)
  young.close(1000)
  await until('nothing is left', () => one.store.users.size === 0 && one.store.connections.size === 0)
})

t.test('a client waits until the others have handed over, and not for those that do not answer', async t => {
  const [one, two] = await presenceNodes(t, 2, { arrivalTimeoutMs: 10 })
  await connected(one.connect('bob', 'd1'))
  const never = gate()
  one.arriving = never.pass
  await connected(two.connect('bob', 'd2'))
  await never.reached
  t.strictSame(one.moves, [])
  never.open()
  await until('it answers', () => one.moves.length === 1)
})

t.test('a client is not let in before the others have handed over', async t => {
  const [one, two] = await presenceNodes(t, 2)
  await connected(one.connect('bob', 'd1'))
  one.arriving = async () => await delay(20)
  await connected(two.connect('bob', 'd2'))
  t.strictSame(one.moves, [`t1 bob ${two.directory.self.key} d2`])
})

t.test('of two handshakes of a device the later begun wins, when the earlier ends first', async t => {
  const [one] = await presenceNodes(t, 1)
  const [first, second] = [gate(), gate()]
  const gates = [first, second]
  one.onRegistered = async () => await gates.shift()?.pass()
  const earlier = one.connect('bob', 'd1')
  await first.reached
  const later = one.connect('bob', 'd1')
  await second.reached
  first.open()
  t.equal(await earlier, 'replaced')
  second.open()
  const { place } = await connected(later)
  t.equal(routeOf(one, 'bob', 'd1'), `${one.directory.self.key} ${place.order}`)
  t.strictSame([...one.store.connections.get('t1') ?? []], [[one.directory.self.key, 1]])
})

t.test('of two handshakes of a device the later begun wins, when it ends first', async t => {
  const [one] = await presenceNodes(t, 1)
  const [first, second] = [gate(), gate()]
  const gates = [first, second]
  one.onRegistered = async () => await gates.shift()?.pass()
  const earlier = one.connect('bob', 'd1')
  await first.reached
  const later = one.connect('bob', 'd1')
  await second.reached
  second.open()
  const session = await connected(later)
  first.open()
  t.equal(await earlier, 'replaced')
  t.strictSame(session.closedWith, [])
  t.equal(routeOf(one, 'bob', 'd1'), `${one.directory.self.key} ${session.place.order}`)
})

t.test('a handshake that began earlier and asks later is replaced at once', async t => {
  const [one] = await presenceNodes(t, 1)
  const [early, late] = [one.nextHandshake(), one.nextHandshake()]
  const { open, reached, pass } = gate()
  one.onRegistered = pass
  const entering = one.enter('bob', 'd1', late)
  await reached
  t.equal(await one.enter('bob', 'd1', early), 'replaced', 'while the other is on its way')
  open()
  const place = await entering
  if (typeof place === 'string') return t.fail(place)
  one.start('bob', 'd1', place, late)
  t.equal(await one.enter('bob', 'd1', early), 'replaced', 'when the other has its session')
  t.equal(one.store.lastOrder, place.order, 'it did not even register')
})

t.test('a device that connects elsewhere while it is still registering here is replaced here', async t => {
  const [one, two] = await presenceNodes(t, 2)
  const { open, reached, pass } = gate()
  one.onRegistered = pass
  const earlier = one.connect('bob', 'd1')
  await reached
  const session = await connected(two.connect('bob', 'd1'))
  open()
  t.equal(await earlier, 'replaced')
  t.strictSame(session.closedWith, [])
  t.equal(routeOf(one, 'bob', 'd1'), `${two.directory.self.key} ${session.place.order}`)
  t.strictSame([...one.store.connections.get('t1') ?? []], [[two.directory.self.key, 1]])
})

t.test('an older arrival that is heard of late replaces nobody', async t => {
  const [one, two] = await presenceNodes(t, 2)
  const { open, reached, pass } = gate()
  one.onRegistered = pass
  const entering = one.connect('bob', 'd1')
  await reached
  const arrival = { tenantId: 't1', userId: 'bob', deviceId: 'd1', order: 0 }
  await one.presence.arrived(two.directory.self.key, arrival)
  open()
  const session = await connected(entering)
  await one.presence.arrived(two.directory.self.key, arrival)
  t.strictSame(session.closedWith, [])
})

t.test('while the store is gone clients are let in, within the user limit of this node alone', async t => {
  const [one, two] = await presenceNodes(t, 2, { now: () => 1_000_000 })
  const limits = { userMaxConnections: 1 }
  one.isStoreGone = two.isStoreGone = true
  const first = await connected(one.connect('bob', 'd1', limits))
  t.equal(first.place.isRegistered, false)
  t.equal(await one.connect('bob', 'd2', limits), 'user_connections')
  const again = await connected(one.connect('bob', 'd1', limits))
  t.strictSame(first.closedWith, [4409])
  t.ok(again.place.order > first.place.order)
  await connected(two.connect('bob', 'd2', limits))
  t.equal(one.presence.unregistered, 2)
})

t.test('while the store is gone clients are refused, where nobody may be let in without it', async t => {
  const [one] = await presenceNodes(t, 1, { admitWithoutStore: false })
  one.isStoreGone = true
  t.equal(await one.connect('bob', 'd1'), 'unavailable')
  one.isStoreGone = false
  await connected(one.connect('bob', 'd1'))
})

t.test('who was let in without the store is registered when it is back, however often that takes', async t => {
  const [one, two] = await presenceNodes(t, 2)
  one.isStoreGone = true
  const session = await connected(one.connect('bob', 'd1'))
  const failures = one.failures
  const reasserted = one.presence.reassert()
  t.equal(one.presence.reassert(), reasserted, 'one at a time')
  await until('it was tried again', () => one.failures >= failures + 2)
  t.equal(one.presence.outstanding, 1)
  one.isStoreGone = false
  await until('it is registered', () => one.presence.outstanding === 0)
  t.equal(routeOf(one, 'bob', 'd1'), `${one.directory.self.key} ${session.place.order}`)
  t.equal(await two.connect('bob', 'd2', { userMaxConnections: 1 }), 'user_connections')
})

for (const isOlderFirst of [true, false]) {
  t.test(`of a device let in twice without the store the newer stays: the ${isOlderFirst ? 'older' : 'newer'} registers first`, async t => {
    const clock = { time: 1_000_000 }
    const [one, two] = await presenceNodes(t, 2, { now: () => clock.time })
    one.isStoreGone = two.isStoreGone = true
    const older = await connected(one.connect('bob', 'd1'))
    clock.time++
    const newer = await connected(two.connect('bob', 'd1'))
    one.isStoreGone = two.isStoreGone = false
    for (const node of isOlderFirst ? [one, two] : [two, one]) await node.presence.reassert()
    await until('the older is closed', () => older.isClosed)
    t.strictSame(older.closedWith, [4409])
    t.strictSame(newer.closedWith, [])
    t.equal(routeOf(one, 'bob', 'd1'), `${two.directory.self.key} ${newer.place.order}`)
  })
}

t.test('a session that ends while it registers again leaves no route', async t => {
  const [one] = await presenceNodes(t, 1)
  one.isStoreGone = true
  const session = await connected(one.connect('bob', 'd1'))
  one.isStoreGone = false
  const { open, reached, pass } = gate()
  one.onRegistered = pass
  const reasserted = one.presence.reassert()
  await reached
  t.ok(routeOf(one, 'bob', 'd1'))
  session.close(1000)
  open()
  await reasserted
  await until('the route is gone', () => one.store.users.size === 0)
})

t.test('who leaves gives back place and route, and only its own', async t => {
  const [one, two] = await presenceNodes(t, 2)
  const place = await one.enter('bob', 'd1', one.nextHandshake())
  await connected(one.connect('bob', 'd2'))
  const elsewhere = await connected(two.connect('bob', 'd1'))
  if (typeof place === 'string') return t.fail(place)
  one.presence.leave('t1', 'bob', 'd1', place)
  await connected(one.connect('bob', 'd3'))
  t.equal(routeOf(one, 'bob', 'd1'), `${two.directory.self.key} ${elsewhere.place.order}`, 'it is the other connection\'s')
  t.ok(routeOf(one, 'bob', 'd2'))
  t.strictSame([...one.store.connections.get('t1') ?? []], [[one.directory.self.key, 2], [two.directory.self.key, 1]])
})

t.test('a route goes only when it is known what is held here for its user', async t => {
  const [one] = await presenceNodes(t, 1)
  const session = await connected(one.connect('bob', 'd1'))
  const { open, reached, pass } = gate()
  one.settle = pass
  session.close(1000)
  await reached
  await new Promise(setImmediate)
  t.ok(routeOf(one, 'bob', 'd1'))
  open()
  await until('the route is gone', () => routeOf(one, 'bob', 'd1') === undefined)
})

t.test('a client that got its place before its node became another member is registered as that', async t => {
  const [one, two] = await presenceNodes(t, 2)
  const place = await one.enter('bob', 'd1', one.nextHandshake())
  if (typeof place === 'string') return t.fail(place)
  const former = one.directory.self.key
  await one.becomesAnother()
  await one.presence.reassert()
  t.match(routeOf(one, 'bob', 'd1'), former, 'it had no session yet')
  one.start('bob', 'd1', place)
  await until('it is registered', () => routeOf(one, 'bob', 'd1') === `${one.directory.self.key} ${place.order}`)
  t.not(one.directory.self.key, former)
  await two.directory.refresh()
  t.equal(await two.connect('bob', 'd2', { userMaxConnections: 1 }), 'user_connections')
})

t.test('an arrival at a member that is not known yet has this node look who is there', async t => {
  const [one, two] = await presenceNodes(t, 2)
  await connected(one.connect('bob', 'd1'))
  await two.becomesAnother()
  t.equal(one.directory.get(two.directory.self.key), undefined)
  await connected(two.connect('bob', 'd2'))
  t.ok(one.directory.get(two.directory.self.key))
  t.strictSame(one.moves, [`t1 bob ${two.directory.self.key} d2`])
})

t.test('what is closed registers nothing any more', async t => {
  const [one] = await presenceNodes(t, 1)
  one.isStoreGone = true
  await connected(one.connect('bob', 'd1'))
  one.presence.close()
  one.isStoreGone = false
  await one.presence.reassert()
  t.equal(routeOf(one, 'bob', 'd1'), undefined)
})

t.test('a second connection that breaks off on its way in leaves the first its route', async t => {
  const [one, two] = await presenceNodes(t, 2)
  const session = await connected(one.connect('bob', 'd1'))
  const place = await one.enter('bob', 'd1', one.nextHandshake())
  t.type(place, 'object')
  one.presence.abandon('t1', 'bob', 'd1', place as Place)
  t.equal(session.isClosed, false)
  t.equal(routeOf(one, 'bob', 'd1'), `${one.directory.self.key} ${session.place.order}`)
  const moved = await connected(two.connect('bob', 'd1'))
  t.strictSame(session.closedWith, [4409], 'and is still known for what it is')
  t.equal(moved.isClosed, false)
})

t.test('a client that gets its session only after everything was registered again is registered too', async t => {
  const [one] = await presenceNodes(t, 1)
  one.isStoreGone = true
  const begun = one.nextHandshake()
  const place = await one.enter('bob', 'd1', begun) as Place
  one.isStoreGone = false
  await one.presence.reassert()
  one.start('bob', 'd1', place, begun)
  await until('it is registered', () => one.presence.outstanding === 0)
  t.equal(routeOf(one, 'bob', 'd1'), `${one.directory.self.key} ${place.order}`)
})

t.test('what waits for a device stays where the device is when another of the user connects elsewhere', async t => {
  const [one, two] = await presenceNodes(t, 2)
  await connected(one.connect('bob', 'd1'))
  await connected(two.connect('bob', 'd2'))
  t.strictSame(one.moves, ['t1 bob ' + two.directory.self.key + ' d2'], 'only what is for d2')
})
