import t from 'tap'
import type { Forwarded, Peers } from '../../lib/cluster/peers.js'
import { Connections } from '../../lib/connections/connections.js'
import { TenantMetrics } from '../../lib/metrics/tenant-metrics.js'
import { UNKNOWN, type RouteCache } from '../../lib/online-routes/route-cache.js'
import { Delivery } from '../../lib/routing/delivery.js'
import { Dispatch } from '../../lib/routing/dispatch.js'
import type { OfflineDelivery } from '../../lib/routing/offline-delivery.js'
import type { Session } from '../../lib/session/session.js'
import { aMessage } from '../helpers/message.js'
import { setup as setupBuffer } from '../offline/buffer.js'

interface Call {
  member: string
  userIds: readonly string[]
  shared: string[]
}

/** A dispatch of alice's message, with peers that answer what the test says. */
function setup ({ announces = false } = {}) {
  const calls: Call[] = []
  const kept: string[] = []
  const keptHere: string[] = []
  const announced: string[] = []
  /** Users whose event finds no room. */
  const refused = new Set<string>()
  const local = new Map<string, boolean[]>()
  /** What the cache says, and what a fresh look does. */
  const cached = new Map<string, readonly string[]>()
  const fresh = new Map<string, readonly string[]>()
  /** Of whom Redis says nothing when their routes are looked up for the first time. */
  const silent = new Set<string>()
  /** By member; default: everybody is there. */
  const answers = new Map<string, Partial<Extract<Forwarded, { kind: 'answered' }>> | 'unreachable'>()
  const connections = new Connections()
  const { buffer, add } = setupBuffer()
  const metrics = new TenantMetrics()
  const from = { tenantId: 't1', userId: 'alice', deviceId: 'd1', metrics } as unknown as Session
  const peers: Pick<Peers, 'deliver'> = {
    deliver: async (member, _delivery, userIds, shared) => {
      calls.push({ member, userIds, shared: [...shared] })
      const answer = answers.get(member) ?? {}
      if (answer === 'unreachable') return { kind: 'unreachable' }
      return { kind: 'answered', missing: [], moved: [], devices: userIds.length, ...answer }
    },
  }
  const cache = {
    forget: () => {},
    find: (_tenantId: string, userId: string) =>
      cached.get(userId) ?? Promise.resolve(silent.has(userId) ? UNKNOWN : []),
    findFresh: async (_tenantId: string, userId: string) => fresh.get(userId) ?? [],
  }
  const offline = {
    keepAtHome: async (_from: Session, _delivery: Delivery, userIds: readonly string[]) => kept.push(...userIds),
    keepHere: async (_from: Session, _delivery: Delivery, userIds: readonly string[]) => keptHere.push(...userIds),
    announces: () => announces,
    announce: (_from: Session, _delivery: Delivery, userId: string) =>
      announces && !refused.has(userId) && announced.push(userId) > 0,
  }
  const dispatch = new Dispatch({
    connections,
    cache: cache as unknown as RouteCache,
    peers: peers as Peers,
    buffer,
    handovers: { isMoving: () => false },
    offline: offline as unknown as OfflineDelivery,
  }, from, new Delivery(aMessage(), 1), 3)
  const connect = (userId: string): void => {
    const got: boolean[] = []
    local.set(userId, got)
    connections.add({
      tenantId: 't1', userId, deviceId: 'd1', metrics, deliver: (_delivery: Delivery, isShared: boolean) => got.push(isShared),
    } as unknown as Session)
  }
  return {
    dispatch, calls, kept, keptHere, announced, refused, local, cached, fresh, silent, answers, connect, add, metrics
  }
}

t.test('users of one peer go there in one item, users here get it here, others are kept', async t => {
  const { dispatch, calls, kept, local, cached, connect } = setup()
  connect('here')
  cached.set('b1', ['node-2#1'])
  cached.set('b2', ['node-2#1'])
  cached.set('c1', ['node-3#1'])
  await dispatch.serve(['here', 'b1', 'away', 'c1'])
  await dispatch.serve(['b2'])
  t.strictSame(await dispatch.finish(), { delivered: 4, notified: 0, buffered: 1, skipped: 0 })
  t.strictSame(calls, [
    { member: 'node-2#1', userIds: ['b1', 'b2'], shared: [] },
    { member: 'node-3#1', userIds: ['c1'], shared: [] },
  ])
  t.strictSame(kept, ['away'])
  t.strictSame(local.get('here'), [false])
})

t.test('a user with devices on several nodes counts once, and each node knows that it is not the only one', async t => {
  const { dispatch, calls, local, cached, connect } = setup()
  connect('bob')
  cached.set('bob', ['node-2#1', 'node-3#1'])
  cached.set('carol', ['node-2#1', 'node-3#1'])
  await dispatch.serve(['bob', 'carol'])
  t.strictSame(await dispatch.finish(), { delivered: 2, notified: 0, buffered: 0, skipped: 0 })
  for (const { shared } of calls) t.strictSame(shared, ['bob', 'carol'])
  t.strictSame(local.get('bob'), [true])
})

t.test('who is missing is looked up afresh, once, and reached there', async t => {
  const { dispatch, calls, kept, cached, fresh, answers } = setup()
  cached.set('bob', ['node-2#1'])
  answers.set('node-2#1', { missing: ['bob'] })
  fresh.set('bob', ['node-3#1'])
  await dispatch.serve(['bob'])
  t.strictSame(await dispatch.finish(), { delivered: 1, notified: 0, buffered: 0, skipped: 0 })
  t.strictSame(calls.map(({ member }) => member), ['node-2#1', 'node-3#1'])
  t.strictSame(kept, [])
})

t.test('who is missing there too is kept, and asked for no third time', async t => {
  const { dispatch, calls, kept, cached, fresh, answers } = setup()
  cached.set('bob', ['node-2#1'])
  answers.set('node-2#1', { missing: ['bob'] })
  answers.set('node-3#1', { missing: ['bob'] })
  fresh.set('bob', ['node-2#1', 'node-3#1'])
  await dispatch.serve(['bob'])
  t.strictSame(await dispatch.finish(), { delivered: 0, notified: 0, buffered: 1, skipped: 0 })
  t.strictSame(calls.map(({ member }) => member), ['node-2#1', 'node-3#1'])
  t.strictSame(kept, ['bob'])
})

t.test('a peer that cannot be reached has not got it: for its users it waits here', async t => {
  const { dispatch, kept, keptHere, cached, fresh, answers } = setup()
  cached.set('bob', ['node-2#1'])
  cached.set('carol', ['node-2#1', 'node-3#1'])
  answers.set('node-2#1', 'unreachable')
  fresh.set('bob', ['node-2#1'])
  await dispatch.serve(['bob', 'carol'])
  t.strictSame(await dispatch.finish(), { delivered: 1, notified: 0, buffered: 1, skipped: 0 })
  t.strictSame(keptHere, ['bob'], 'carol has another device that got it')
  t.strictSame(kept, [])
})

t.test('a user who has lately connected to one more node is reached there as well, and counted once', async t => {
  const { dispatch, calls, cached, fresh, answers } = setup()
  cached.set('bob', ['node-2#1'])
  answers.set('node-2#1', { moved: ['bob'] })
  fresh.set('bob', ['node-2#1', 'node-3#1'])
  await dispatch.serve(['bob'])
  t.strictSame(await dispatch.finish(), { delivered: 1, notified: 0, buffered: 0, skipped: 0 })
  t.strictSame(calls, [
    { member: 'node-2#1', userIds: ['bob'], shared: [] },
    { member: 'node-3#1', userIds: ['bob'], shared: ['bob'] },
  ])
})

t.test('one who connected here while the peer was asked gets it here', async t => {
  const { dispatch, local, kept, cached, answers, connect } = setup()
  cached.set('bob', ['node-2#1'])
  answers.set('node-2#1', { missing: ['bob'] })
  await dispatch.serve(['bob'])
  connect('bob')
  t.strictSame(await dispatch.finish(), { delivered: 1, notified: 0, buffered: 0, skipped: 0 })
  t.strictSame(local.get('bob'), [false])
  t.strictSame(kept, [])
})

t.test('behind messages that still wait here it waits too', async t => {
  const { dispatch, calls, keptHere, cached, add } = setup()
  add({ seq: 1 })
  cached.set('bob', ['node-2#1'])
  await dispatch.serve(['bob'])
  t.strictSame(await dispatch.finish(), { delivered: 0, notified: 0, buffered: 1, skipped: 0 })
  t.strictSame(calls, [])
  t.strictSame(keptHere, ['bob'])
})

t.test('beyond the bound of offline users it is kept for nobody, and that is counted', async t => {
  const { dispatch, kept, metrics } = setup()
  await dispatch.serve(['a', 'b', 'c', 'd', 'e'])
  t.strictSame(await dispatch.finish(), { delivered: 0, notified: 0, buffered: 3, skipped: 2 })
  t.strictSame(kept, ['a', 'b', 'c'])
  t.equal(metrics.offlineSkipped, 2)
})

// Tenants that keep offline messages themselves.

t.test('who is connected nowhere is announced, however many they are, and takes no place in the buffer', async t => {
  const { dispatch, kept, keptHere, announced, metrics } = setup({ announces: true })
  await dispatch.serve(['a', 'b', 'c', 'd', 'e'])
  t.strictSame(await dispatch.finish(), { delivered: 0, notified: 5, buffered: 0, skipped: 0 })
  t.strictSame(announced, ['a', 'b', 'c', 'd', 'e'])
  t.strictSame([kept, keptHere], [[], []])
  t.equal(metrics.offlineSkipped, 0)
})

t.test('what cannot be announced is kept, within the bound of the buffer', async t => {
  const { dispatch, kept, announced, refused, metrics } = setup({ announces: true })
  for (const userId of ['b', 'c', 'd', 'e']) refused.add(userId)
  await dispatch.serve(['a', 'b', 'c', 'd', 'e', 'f'])
  t.strictSame(await dispatch.finish(), { delivered: 0, notified: 2, buffered: 3, skipped: 1 })
  t.strictSame(announced, ['a', 'f'])
  t.strictSame(kept, ['b', 'c', 'd'])
  t.equal(metrics.offlineSkipped, 1)
})

t.test('nobody is announced by a remembered route: who has connected elsewhere gets it there', async t => {
  const { dispatch, calls, kept, announced, cached, fresh } = setup({ announces: true })
  cached.set('bob', [])
  cached.set('carol', [])
  fresh.set('bob', ['node-2#1'])
  await dispatch.serve(['bob', 'carol'])
  t.strictSame(await dispatch.finish(), { delivered: 1, notified: 1, buffered: 0, skipped: 0 })
  t.strictSame(calls.map(({ member, userIds }) => [member, userIds]), [['node-2#1', ['bob']]])
  t.strictSame(announced, ['carol'])
  t.strictSame(kept, [])
})

t.test('of whom Redis says nothing it is not known whether they are away: it is kept', async t => {
  const { dispatch, kept, announced, cached, fresh, silent, answers } = setup({ announces: true })
  cached.set('bob', [])
  silent.add('carol')
  cached.set('dora', ['node-2#1'])
  answers.set('node-2#1', { missing: ['dora'] })
  for (const userId of ['bob', 'dora']) fresh.set(userId, UNKNOWN)
  await dispatch.serve(['bob', 'carol', 'dora'])
  t.strictSame(await dispatch.finish(), { delivered: 0, notified: 0, buffered: 3, skipped: 0 })
  t.strictSame(announced, [])
  t.strictSame(kept.toSorted(), ['bob', 'carol', 'dora'])
})

t.test('who is not where fresh routes lead is away', async t => {
  const { dispatch, announced, kept, cached, fresh, answers } = setup({ announces: true })
  for (const userId of ['bob', 'carol', 'dora']) cached.set(userId, ['node-2#1'])
  answers.set('node-2#1', { missing: ['bob', 'carol', 'dora'] })
  answers.set('node-3#1', { missing: ['carol'] })
  fresh.set('carol', ['node-3#1'])
  fresh.set('dora', ['node-2#1'])
  await dispatch.serve(['bob', 'carol', 'dora'])
  t.strictSame(await dispatch.finish(), { delivered: 0, notified: 3, buffered: 0, skipped: 0 })
  t.strictSame(announced.toSorted(), ['bob', 'carol', 'dora'])
  t.strictSame(kept, [])
})

t.test('who is connected to a peer that does not answer is not away, until the route is gone', async t => {
  const { dispatch, announced, keptHere, cached, fresh, answers } = setup({ announces: true })
  for (const userId of ['bob', 'carol', 'dora']) cached.set(userId, ['node-2#1'])
  answers.set('node-2#1', 'unreachable')
  answers.set('node-3#1', 'unreachable')
  fresh.set('bob', ['node-2#1'])
  fresh.set('dora', ['node-3#1'])
  await dispatch.serve(['bob', 'carol', 'dora'])
  t.strictSame(await dispatch.finish(), { delivered: 0, notified: 1, buffered: 2, skipped: 0 })
  t.strictSame(announced, ['carol'])
  t.strictSame(keptHere.toSorted(), ['bob', 'dora'])
})

t.test('messages that wait here for a user who is away keep no later one from being announced', async t => {
  const { dispatch, announced, keptHere, cached, add } = setup({ announces: true })
  add({ seq: 1 })
  cached.set('bob', [])
  await dispatch.serve(['bob'])
  t.strictSame(await dispatch.finish(), { delivered: 0, notified: 1, buffered: 0, skipped: 0 })
  t.strictSame(announced, ['bob'])
  t.strictSame(keptHere, [])
})

t.test('what cannot be announced waits behind those that wait here, and so does what is for a user elsewhere', async t => {
  const { dispatch, calls, kept, keptHere, refused, cached, fresh, add } = setup({ announces: true })
  add({ seq: 1 })
  add({ seq: 2, userId: 'carol' })
  refused.add('bob')
  cached.set('carol', [])
  fresh.set('carol', ['node-2#1'])
  await dispatch.serve(['bob', 'carol'])
  t.strictSame(await dispatch.finish(), { delivered: 0, notified: 0, buffered: 2, skipped: 0 })
  t.strictSame(keptHere, ['bob', 'carol'])
  t.strictSame([calls, kept], [[], []])
})
