import type { Test } from 'tap'
import type { NodeDirectory, NodeDirectoryEvents } from '../../lib/node-directory/node-directory.js'
import { until } from '../helpers/until.js'

export interface DirectoryOptions {
  leaseMs?: number
  renewMs?: number
  claimMs?: number
  now?: () => number
  monotonicNow?: () => number
}

/** One store, as the nodes of a cluster see it. */
export interface DirectoryHome {
  /** A node that has not joined yet; closed when the test ends. */
  node (nodeId: string, options?: DirectoryOptions): Promise<NodeDirectory>
}

/** Long enough for a busy machine, where the test does not wait for a lease to end. */
const LONG_MS = 60_000

/** For leases that are to end while the test waits. */
const SHORT = { leaseMs: 400, renewMs: 50 }

/** What both homes promise. */
export function nodeDirectoryContract (t: Test, openHome: (t: Test) => Promise<DirectoryHome>): void {
  /** Members that have joined and know each other. Renew only when the test says so. */
  async function cluster (t: Test, ids: string[], options: DirectoryOptions = {}): Promise<NodeDirectory[]> {
    const home = await openHome(t)
    const nodes = await Promise.all(ids.map(id => home.node(id, { leaseMs: LONG_MS, renewMs: LONG_MS, ...options })))
    for (const node of nodes) await node.join()
    for (const node of nodes) await node.refresh()
    return nodes
  }

  t.test('a node that has joined is a member, with what it says of itself', async t => {
    const before = Date.now()
    const [a] = await cluster(t, ['a'])
    t.equal(a.self.nodeId, 'a')
    t.equal(a.self.endpoint, 'http://a:8081')
    t.equal(a.self.isDraining, false)
    t.ok(a.self.incarnation >= before)
    t.equal(a.self.key, `a#${a.self.incarnation}`)
    t.same(a.members(), [a.self])
    t.equal(a.get(a.self.key), a.self)
    t.equal(a.get('a#1'), undefined)
  })

  t.test('before it joins, a node is no member and sees the others', async t => {
    const home = await openHome(t)
    const a = await home.node('a')
    const b = await home.node('b')
    await a.join()
    await b.refresh()
    t.same(keys(b), keys(a))
    t.equal(b.get(b.self.key), undefined)
  })

  t.test('members are seen by all, in the order of their keys, and each of the others is announced once', async t => {
    const home = await openHome(t)
    const nodes = await Promise.all(['c', 'a', 'b'].map(id => home.node(id)))
    const joined = nodes.map(node => record(node, 'joined'))
    for (const node of nodes) await node.join()
    for (const node of nodes) await node.refresh()
    for (const node of nodes) await node.refresh()
    for (const node of nodes) t.same(node.members().map(({ nodeId }) => nodeId), ['a', 'b', 'c'])
    t.same(joined.map(members => members.map(([{ nodeId }]) => nodeId)), [['a', 'b'], ['c', 'b'], ['a', 'c']])
  })

  t.test('the list of members, and each member, stays the same object while nothing changes', async t => {
    const [a, b] = await cluster(t, ['a', 'b'])
    const members = a.members()
    const [, other] = members
    await a.refresh()
    await b.refresh()
    t.equal(a.members(), members)
    await b.leave()
    await a.refresh()
    t.not(a.members(), members)
    t.equal(a.members()[0], members[0])
    t.same(members.length, 2, 'and whoever has the old list keeps it as it was')
    t.equal(other.nodeId, 'b')
  })

  t.test('a node is seen within a renewal interval of its join', async t => {
    const home = await openHome(t)
    const a = await home.node('a', SHORT)
    const b = await home.node('b', SHORT)
    await a.join()
    const joined = next(a, 'joined')
    await b.join()
    const [member] = await joined
    t.equal(member.key, b.self.key)
  })

  t.test('one that leaves is gone at once for whoever refreshes, and says no more that it is there', async t => {
    const [a, b] = await cluster(t, ['a', 'b'])
    const left = record(a, 'left')
    const { key } = b.self
    await b.leave()
    await a.refresh()
    t.same(keys(a), [a.self.key])
    t.same(left.map(([member]) => member.key), [key])
    t.equal(b.get(key), undefined)
    await b.refresh()
    t.same(keys(b), [a.self.key], 'it may still look')
    await a.refresh()
    t.same(keys(a), [a.self.key])
    await b.leave()
  })

  t.test('a renewal on its way does not bring back a node that leaves', async t => {
    const [a, b] = await cluster(t, ['a', 'b'])
    await Promise.all([b.refresh(), b.leave()])
    t.same(keys(b), [a.self.key])
    await a.refresh()
    t.same(keys(a), [a.self.key])
    await Promise.all([b.refresh(), b.refresh()])
    await a.refresh()
    t.same(keys(a), [a.self.key])
  })

  t.test('one that stops renewing is gone when its lease has run out; one that renews stays', async t => {
    const home = await openHome(t)
    const a = await home.node('a', SHORT)
    const b = await home.node('b', SHORT)
    await a.join()
    await b.join()
    await a.refresh()
    const left = record(b, 'left')
    const gone = next(a, 'left')
    b.close()
    const [member] = await gone
    t.equal(member.key, b.self.key)
    t.same(keys(a), [a.self.key])
    t.equal(left.length, 0)
  })

  t.test('a node that lost its lease joins again under a new incarnation, and says so when it knows the others', async t => {
    const home = await openHome(t)
    const [a, b] = [await home.node('a', SHORT), await home.node('b', SHORT)]
    await a.join()
    await b.join()
    const former = b.self
    b.close()
    await next(a, 'left')
    const known: string[][] = []
    b.on('reset', () => known.push(keys(b)))
    const left = record(b, 'left')
    await b.refresh()
    t.equal(b.self.nodeId, 'b')
    t.ok(b.self.incarnation > former.incarnation)
    t.same(known, [[a.self.key, b.self.key]])
    t.equal(b.get(former.key), undefined)
    t.equal(left.length, 0, 'it is no other member that left')
    await b.refresh()
    t.equal(known.length, 1, 'once')
  })

  t.test('a node that renews in time says nothing, and keeps its incarnation', async t => {
    const [a] = await cluster(t, ['a', 'b'])
    const resets = record(a, 'reset')
    const { self } = a
    for (let i = 0; i < 5; i++) await a.refresh()
    t.equal(a.self, self)
    t.equal(resets.length, 0)
  })

  t.test('time in which nobody could renew ends no lease', async t => {
    const home = await openHome(t)
    const [a, b] = [await home.node('a', SHORT), await home.node('b', SHORT)]
    await a.join()
    await b.join()
    await a.refresh()
    const left = [a, b].map(node => record(node, 'left'))
    const resets = [a, b].map(node => record(node, 'reset'))
    a.close()
    b.close()
    const since = Date.now()
    await until('the leases would have run out', () => Date.now() - since > 2 * SHORT.leaseMs)
    await a.refresh()
    await b.refresh()
    t.same(keys(a), [a.self.key, b.self.key])
    t.same([...left, ...resets].map(events => events.length), [0, 0, 0, 0])
  })

  t.test('a node that comes back under its id is another member, though its clock was set back', async t => {
    const home = await openHome(t)
    const [a, b] = [await home.node('a', SHORT), await home.node('b', SHORT)]
    await a.join()
    await b.join()
    b.close()
    const again = await home.node('b', { ...SHORT, now: () => b.self.incarnation - 5000 })
    await again.join()
    t.ok(again.self.incarnation > b.self.incarnation)
    t.same(keys(again), [a.self.key, b.self.key, again.self.key], 'the former one has its lease still')
    await next(a, 'left')
    await again.refresh()
    t.same(keys(again), [a.self.key, again.self.key])
    const third = await home.node('b', { ...SHORT, now: () => 5000 })
    await third.join()
    t.ok(third.self.incarnation > again.self.incarnation)
  })

  t.test('processes that start in the same millisecond with one node id are different members', async t => {
    const home = await openHome(t)
    const nodes = await Promise.all([1, 2, 3, 4].map(() => home.node('a', { now: () => 7000 })))
    await Promise.all(nodes.map(node => node.join()))
    t.equal(new Set(nodes.map(({ self }) => self.key)).size, 4)
    await nodes[0].refresh()
    t.equal(nodes[0].members().length, 4)
  })

  t.test('another process with the same node id is reported once, when it cannot be a former self', async t => {
    let time = 0
    const home = await openHome(t)
    const [a, other] = [await home.node('a', { monotonicNow: () => time }), await home.node('a')]
    await other.join()
    const namesakes = record(a, 'namesake')
    await a.join()
    time = LONG_MS
    await a.refresh()
    t.equal(namesakes.length, 0)
    time += 1
    await a.refresh()
    time += LONG_MS
    await a.refresh()
    t.same(namesakes.map(([{ key }]) => key), [other.self.key])
  })

  t.test('that a node drains is known to the others', async t => {
    const [a, b] = await cluster(t, ['a', 'b'])
    const members = a.members()
    await b.drain()
    t.equal(b.self.isDraining, true)
    t.equal(b.get(b.self.key), b.self)
    await a.refresh()
    t.equal(a.get(b.self.key)?.isDraining, true)
    t.not(a.members(), members)
    t.equal(a.get(a.self.key)?.isDraining, false)
  })

  t.test('it says itself when the process may have been stopped for longer than the lease', async t => {
    let time = 1000
    const [a] = await cluster(t, ['a'], { monotonicNow: () => time })
    t.equal(a.isStale, false)
    time += LONG_MS
    t.equal(a.isStale, false)
    time += 1
    t.equal(a.isStale, true)
    await a.refresh()
    t.equal(a.isStale, false)
    time += 2 * LONG_MS
    await a.leave()
    t.equal(a.isStale, false, 'one that is no member has no lease')
  })

  t.test('a refresh begins after it was asked for, and several asked for at once share one', async t => {
    const [a, b] = await cluster(t, ['a', 'b'])
    const first = a.refresh()
    const second = a.refresh()
    t.not(second, first)
    t.equal(a.refresh(), second)
    await b.leave()
    const third = a.refresh()
    await third
    t.same(keys(a), [a.self.key])
    await Promise.all([first, second])
  })

  t.test('of a dead member exactly one survivor is told to remove what it left', async t => {
    const home = await openHome(t)
    const nodes = await Promise.all(['a', 'b', 'c', 'dead'].map(id => home.node(id, SHORT)))
    const abandoned: string[] = []
    for (const node of nodes) node.on('abandoned', key => abandoned.push(`${node.self.nodeId}: ${key}`))
    await Promise.all(nodes.map(node => node.join()))
    const [a, b, c, dead] = nodes
    dead.close()
    await Promise.all([a, b, c].map(node => until('it is gone', () => node.get(dead.self.key) === undefined)))
    await until('somebody was chosen', () => abandoned.length > 0)
    for (const node of [a, b, c, a, b, c]) await node.refresh()
    t.equal(abandoned.length, 1)
    t.match(abandoned[0], /: dead#\d+$/)
  })

  t.test('what was removed is nobody’s task again; what was not, is another’s when the time is over', async t => {
    const home = await openHome(t)
    const options = { leaseMs: LONG_MS, renewMs: LONG_MS, claimMs: 200 }
    const [a, b, gone] = await Promise.all(['a', 'b', 'gone'].map(id => home.node(id, options)))
    for (const node of [a, b, gone]) await node.join()
    const [ofA, ofB] = [record(a, 'abandoned'), record(b, 'abandoned')]
    await gone.leave()
    await a.refresh()
    t.same(ofA, [[gone.self.key]], 'what a member left behind that has gone by itself is removed, too')
    await b.refresh()
    t.equal(ofB.length, 0)
    await until('another is chosen', async () => {
      await b.refresh()
      return ofB.length > 0
    })
    t.same(ofB, [[gone.self.key]])
    await a.buried(gone.self.key)
    await b.buried(gone.self.key)
    const since = Date.now()
    await until('the time is over again', () => Date.now() - since > 2 * options.claimMs)
    await a.refresh()
    await b.refresh()
    t.same([ofA.length, ofB.length], [1, 1])
  })

  t.test('one that has much to remove is given one member at a time', async t => {
    const [a, b, c, d] = await cluster(t, ['a', 'b', 'c', 'd'])
    const abandoned = record(a, 'abandoned')
    for (const node of [b, c, d]) await node.leave()
    await a.refresh()
    await a.refresh()
    t.equal(abandoned.length, 1)
    await a.buried(abandoned[0][0])
    await a.refresh()
    t.equal(abandoned.length, 2)
    t.equal(new Set([...abandoned.flat()]).size, 2)
  })

  t.test('a node that drains is not told to remove anything', async t => {
    const [a, b] = await cluster(t, ['a', 'b'])
    const abandoned = record(a, 'abandoned')
    await a.drain()
    await b.leave()
    await a.refresh()
    t.equal(abandoned.length, 0)
  })

  for (const [when, isBuriedFirst] of [['after', true], ['during', false]] as const) {
    t.test(`what a node writes under a former key ${when} the removal is removed as well`, async t => {
      const home = await openHome(t)
      const [a, b] = [await home.node('a', SHORT), await home.node('b', { ...SHORT, claimMs: 100 })]
      await a.join()
      await b.join()
      const former = b.self.key
      const abandoned = record(a, 'abandoned')
      b.close()
      await until('a was chosen', () => abandoned.length > 0)
      if (isBuriedFirst) await a.buried(former)
      await b.refresh()
      if (!isBuriedFirst) await a.buried(former)
      await until('somebody is chosen again', () => abandoned.length > 1)
      t.same(abandoned, [[former], [former]])
    })
  }
}

export function keys (node: NodeDirectory): string[] {
  return node.members().map(({ key }) => key)
}

/** What an event says, each time. */
export function record<E extends keyof NodeDirectoryEvents> (
  node: NodeDirectory, event: E
): Array<NodeDirectoryEvents[E]> {
  const events: Array<NodeDirectoryEvents[E]> = []
  node.on(event as 'joined', (...args) => events.push(args as NodeDirectoryEvents[E]))
  return events
}

/** What it says the next time. The directories' own timers keep no process running. */
export async function next<E extends keyof NodeDirectoryEvents> (
  node: NodeDirectory, event: E
): Promise<NodeDirectoryEvents[E]> {
  const events = record(node, event)
  await until(`${node.self.key} says ${event}`, () => events.length > 0)
  return events[0]
}
