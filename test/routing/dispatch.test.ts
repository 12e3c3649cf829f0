import t from 'tap'
import type { Forwarded, Peers } from '../../lib/cluster/peers.js'
import { Connections } from '../../lib/connections/connections.js'
import { TenantMetrics } from '../../lib/metrics/tenant-metrics.js'
import type { RouteCache } from '../../lib/online-routes/route-cache.js'
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
function setup () {
  const calls: Call[] = []
  const kept: string[] = []
  const keptHere: string[] = []
  const local = new Map<string, boolean[]>()
  /** What the cache says, and what a fresh look does. */
  const cached = new Map<string, string[]>()
  const fresh = new Map<string, string[]>()
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
    find: (_tenantId: string, userId: string) => cached.get(userId) ?? Promise.resolve([]),
    findFresh: async (_tenantId: string, userId: string) => fresh.get(userId) ?? [],
  }
  const offline = {
    keepAtHome: async (_from: Session, _delivery: Delivery, userIds: readonly string[]) => kept.push(...userIds),
    keepHere: async (_from: Session, _delivery: Delivery, userIds: readonly string[]) => keptHere.push(...userIds),
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
  return { dispatch, calls, kept, keptHere, local, cached, fresh, answers, connect, add, metrics }
}

t.test('users of one peer go there in one item, users here get it here, others are kept', async t => {
  const { dispatch, calls, kept, local, cached, connect } = setup()
  connect('here')
  cached.set('b1', ['node-2#1'])
  cached.set('b2', ['node-2#1'])
  cached.set('c1', ['node-3#1'])
  await dispatch.serve(['here', 'b1', 'away', 'c1'])
  await dispatch.serve(['b2'])
  t.strictSame(await dispatch.finish(), { delivered: 4, buffered: 1, skipped: 0 })
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
  t.strictSame(await dispatch.finish(), { delivered: 2, buffered: 0, skipped: 0 })
  for (const { shared } of calls) t.strictSame(shared, ['bob', 'carol'])
  t.strictSame(local.get('bob'), [true])
})

t.test('who is missing is looked up afresh, once, and reached there', async t => {
  const { dispatch, calls, kept, cached, fresh, answers } = setup()
  cached.set('bob', ['node-2#1'])
  answers.set('node-2#1', { missing: ['bob'] })
  fresh.set('bob', ['node-3#1'])
  await dispatch.serve(['bob'])
  t.strictSame(await dispatch.finish(), { delivered: 1, buffered: 0, skipped: 0 })
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
  t.strictSame(await dispatch.finish(), { delivered: 0, buffered: 1, skipped: 0 })
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
  t.strictSame(await dispatch.finish(), { delivered: 1, buffered: 1, skipped: 0 })
  t.strictSame(keptHere, ['bob'], 'carol has another device that got it')
  t.strictSame(kept, [])
})

t.test('a user who has lately connected to one more node is reached there as well, and counted once', async t => {
  const { dispatch, calls, cached, fresh, answers } = setup()
  cached.set('bob', ['node-2#1'])
  answers.set('node-2#1', { moved: ['bob'] })
  fresh.set('bob', ['node-2#1', 'node-3#1'])
  await dispatch.serve(['bob'])
  t.strictSame(await dispatch.finish(), { delivered: 1, buffered: 0, skipped: 0 })
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
  t.strictSame(await dispatch.finish(), { delivered: 1, buffered: 0, skipped: 0 })
  t.strictSame(local.get('bob'), [false])
  t.strictSame(kept, [])
})

t.test('behind messages that still wait here it waits too', async t => {
  const { dispatch, calls, keptHere, cached, add } = setup()
  add({ seq: 1 })
  cached.set('bob', ['node-2#1'])
  await dispatch.serve(['bob'])
  t.strictSame(await dispatch.finish(), { delivered: 0, buffered: 1, skipped: 0 })
  t.strictSame(calls, [])
  t.strictSame(keptHere, ['bob'])
})

t.test('beyond the bound of offline users it is kept for nobody, and that is counted', async t => {
  const { dispatch, kept, metrics } = setup()
  await dispatch.serve(['a', 'b', 'c', 'd', 'e'])
  t.strictSame(await dispatch.finish(), { delivered: 0, buffered: 3, skipped: 2 })
  t.strictSame(kept, ['a', 'b', 'c'])
  t.equal(metrics.offlineSkipped, 2)
})
