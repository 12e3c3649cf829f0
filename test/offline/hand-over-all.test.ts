import { once } from 'node:events'
import t from 'tap'
import { handOverAll } from '../../lib/offline/hand-over-all.js'
import { Handovers } from '../../lib/offline/handovers.js'
import { homeOf } from '../../lib/offline/home.js'
import type { OfflineEntry } from '../../lib/offline/offline-entry.js'
import { aMember, TestDirectory } from '../cluster/test-directory.js'
import { until } from '../helpers/until.js'
import { setup as setupBuffer } from './buffer.js'

const NEVER = new AbortController().signal

/**
 * A node that drains, with its buffer, in a cluster with others.
 * @param hold what a member makes of what it is given
 */
function setup ({ others = ['b', 'c'], hold = async (_memberKey: string, entries: readonly OfflineEntry[]) => entries.length }: {
  others?: string[]
  hold?: (memberKey: string, entries: readonly OfflineEntry[]) => Promise<number | undefined>
} = {}) {
  const { buffer, add, takeAll } = setupBuffer()
  const directory = new TestDirectory(aMember('a', 'http://127.0.0.1:1'))
  // The directory lists a draining node until it has left.
  directory.add(directory.self)
  const peers = others.map(nodeId => directory.add(aMember(nodeId, 'http://127.0.0.1:1')))
  const given: Array<{ memberKey: string, userIds: string[] }> = []
  const handovers = new Handovers(buffer, {
    hold: async (memberKey, entries) => {
      given.push({ memberKey, userIds: entries.map(({ userId }) => userId) })
      return await hold(memberKey, entries)
    },
  })
  const connections = { ending: 0 }
  return {
    buffer,
    add,
    takeAll,
    directory,
    peers,
    given,
    handovers,
    connections,
    run: (deadline: AbortSignal = NEVER) => handOverAll({ buffer, handovers, directory, connections }, deadline),
  }
}

t.test('everybody\'s messages move to their home among the others', async t => {
  const { add, buffer, given, handovers, peers, run } = setup()
  for (let seq = 1; seq <= 200; seq++) add({ seq, userId: `u${seq % 100}` })
  await run()
  t.equal(buffer.size, 0)
  t.equal(handovers.moved, 200)
  t.equal(given.length, 100, 'a call for each user')
  for (const { memberKey, userIds } of given) {
    t.equal(memberKey, homeOf(peers, 't1', userIds[0])?.key)
    t.same(new Set(userIds).size, 1)
  }
  t.same([...new Set(given.map(({ memberKey }) => memberKey))].sort(), ['b#1', 'c#1'])
})

t.test('a node that is the only one keeps what it has, and ends at once', async t => {
  const { add, buffer, connections, given, run } = setup({ others: [] })
  add({ seq: 1 })
  connections.ending = 1
  await run()
  t.equal(buffer.size, 1)
  t.same(given, [])
})

t.test('a peer that cannot be reached is tried again, and gets all once it can', async t => {
  let isReachable = false
  let attempts = 0
  const { add, buffer, given, run } = setup({
    others: ['b'],
    hold: async (_memberKey, entries) => {
      attempts++
      return isReachable ? entries.length : undefined
    },
  })
  add({ seq: 1 })
  add({ seq: 2 })
  const done = run()
  await until('it was tried again', () => attempts >= 3)
  t.equal(buffer.size, 2)
  isReachable = true
  await done
  t.equal(buffer.size, 0)
  t.same(given.at(-1), { memberKey: 'b#1', userIds: ['bob', 'bob'] })
})

t.test('what no peer has taken by the deadline is still in the buffer, in its order', async t => {
  let attempts = 0
  const { add, takeAll, handovers, run } = setup({
    others: ['b'],
    hold: async () => {
      attempts++
      return undefined
    },
  })
  for (const seq of [1, 2, 3]) add({ seq })
  const deadline = new AbortController()
  const done = run(deadline.signal)
  await until('it was tried again', () => attempts >= 2)
  deadline.abort()
  await done
  t.same(takeAll(), [1, 2, 3])
  t.equal(handovers.moved, 0)
  const after = attempts
  await handovers.settled('t1', 'bob')
  t.equal(attempts, after, 'nobody is asked any more')
})

t.test('a peer that leaves meanwhile is asked no more: its users go to the next', async t => {
  const { add, buffer, directory, given, peers: [b], run } = setup({
    hold: async (memberKey, entries) => {
      if (memberKey === 'c#1') return entries.length
      directory.remove(b)
      return undefined
    },
  })
  for (let seq = 1; seq <= 20; seq++) add({ seq, userId: `u${seq}` })
  await run()
  t.equal(buffer.size, 0)
  t.ok(given.some(({ memberKey }) => memberKey === 'b#1'), 'some were its users')
})

t.test('it waits for the sockets that are ending, and moves what they give back', async t => {
  const { add, buffer, connections, given, run } = setup({ others: ['b'] })
  connections.ending = 2
  let isDone = false
  const done = run().then(() => { isDone = true })
  add({ seq: 1 })
  await until('the first came and went', () => given.length === 1)
  connections.ending = 1
  add({ seq: 2 })
  await until('the second came and went', () => given.length === 2)
  t.equal(isDone, false)
  connections.ending = 0
  await done
  t.equal(buffer.size, 0)
})

t.test('a socket that never ends holds it up until the deadline only', async t => {
  const { connections, run } = setup()
  connections.ending = 1
  const deadline = new AbortController()
  const aborted = once(deadline.signal, 'abort')
  let isDone = false
  const done = run(deadline.signal).then(() => { isDone = true })
  await new Promise(setImmediate)
  t.equal(isDone, false)
  deadline.abort()
  await aborted
  await done
})

t.test('what is on its way elsewhere already goes there, and what came behind it goes after it', async t => {
  let answer = (_count: number): void => {}
  const { add, buffer, given, handovers, run } = setup({
    others: ['b'],
    hold: async (memberKey, entries) => {
      if (memberKey === 'b#1') return entries.length
      return await new Promise<number>(resolve => { answer = resolve })
    },
  })
  add({ seq: 1 })
  handovers.move('t1', 'bob', 'c#1').catch(t.threw)
  add({ seq: 2 })
  add({ seq: 3, userId: 'carol' })
  const done = run()
  await until('carol\'s have moved', () => given.some(({ userIds }) => userIds.includes('carol')))
  t.same(given, [{ memberKey: 'c#1', userIds: ['bob'] }, { memberKey: 'b#1', userIds: ['carol'] }])
  // The peer has no room any more: it comes back.
  answer(0)
  await done
  t.equal(buffer.size, 0)
  t.same(given.at(-1), { memberKey: 'b#1', userIds: ['bob', 'bob'] })
})
