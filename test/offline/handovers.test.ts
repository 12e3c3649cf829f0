import t from 'tap'
import { Handovers } from '../../lib/offline/handovers.js'
import type { OfflineEntry } from '../../lib/offline/offline-entry.js'
import { setup as setupBuffer } from './buffer.js'

/** A peer that takes `accepts` of what it is given, when told to answer. */
function setup (accepts: (entries: readonly OfflineEntry[]) => number | undefined) {
  const { buffer, add, takeAll, clock } = setupBuffer()
  const batches: number[][] = []
  const handovers = new Handovers(buffer, {
    hold: async (_memberKey, entries) => {
      batches.push(entries.map(({ delivery }) => delivery.seq))
      return accepts(entries)
    },
  })
  return { buffer, add, takeAll, clock, handovers, batches }
}

t.test('all that is held for a user moves, in order and in bounded pieces', async t => {
  const { add, takeAll, handovers, batches } = setup(entries => entries.length)
  for (let seq = 1; seq <= 150; seq++) add({ seq })
  add({ seq: 500, userId: 'carol' })
  t.equal(await handovers.move('t1', 'bob', 'node-2#1'), true)
  t.strictSame(batches.flat(), Array.from({ length: 150 }, (_, i) => i + 1))
  t.ok(batches.every(batch => batch.length <= 64))
  t.strictSame(takeAll(), [])
  t.strictSame(takeAll('t1', 'carol'), [500])
  t.equal(handovers.moved, 150)
})

t.test('large messages go in pieces of their own', async t => {
  const { add, handovers, batches } = setup(entries => entries.length)
  for (let seq = 1; seq <= 3; seq++) add({ seq, bytes: 200_000 })
  await handovers.move('t1', 'bob', 'node-2#1')
  t.strictSame(batches, [[1], [2], [3]])
})

t.test('what a peer does not take stays, in its order', async t => {
  const { add, takeAll, handovers } = setup(() => 2)
  for (let seq = 1; seq <= 5; seq++) add({ seq })
  t.equal(await handovers.move('t1', 'bob', 'node-2#1'), false)
  t.strictSame(takeAll(), [3, 4, 5])
})

t.test('all of it stays where the peer cannot be reached', async t => {
  const { add, takeAll, handovers } = setup(() => undefined)
  for (let seq = 1; seq <= 5; seq++) add({ seq })
  t.equal(await handovers.move('t1', 'bob', 'node-2#1'), false)
  t.strictSame(takeAll(), [1, 2, 3, 4, 5])
  t.equal(handovers.moved, 0)
})

t.test('what moves is counted, and delivered by nobody here, until the peer has answered', async t => {
  let answer = (_count: number): void => {}
  const { buffer, add, takeAll } = setupBuffer()
  const handovers = new Handovers(buffer, {
    hold: async () => await new Promise<number>(resolve => { answer = resolve }),
  })
  add({ seq: 1 })
  const moved = handovers.move('t1', 'bob', 'node-2#1')
  t.equal(handovers.isMoving('t1', 'bob'), true)
  t.equal(handovers.movingOf('t1', 'bob'), 1)
  t.equal(buffer.countOf('t1', 'bob'), 0)
  t.equal(handovers.move('t1', 'bob', 'node-3#1'), moved, 'one at a time')
  t.strictSame(takeAll(), [])
  const settled = handovers.settled('t1', 'bob')
  answer(1)
  t.equal(await moved, true)
  await settled
  t.equal(handovers.isMoving('t1', 'bob'), false)
  t.equal(handovers.movingOf('t1', 'bob'), 0)
})

t.test('what comes while it moves, moves as well', async t => {
  const { buffer, add } = setupBuffer()
  const batches: number[][] = []
  const handovers = new Handovers(buffer, {
    hold: async (_member, entries) => {
      batches.push(entries.map(({ delivery }) => delivery.seq))
      if (batches.length === 1) add({ seq: 2 })
      return entries.length
    },
  })
  add({ seq: 1 })
  t.equal(await handovers.move('t1', 'bob', 'node-2#1'), true)
  t.strictSame(batches, [[1], [2]])
})

t.test('what has expired does not move', async t => {
  const { add, clock, handovers, batches } = setup(entries => entries.length)
  add({ seq: 1, ttlMs: 10 })
  add({ seq: 2 })
  clock.time += 10
  await handovers.move('t1', 'bob', 'node-2#1')
  t.strictSame(batches, [[2]])
})

t.test('who keeps track hears of a message before it leaves, and when it stays after all', async t => {
  const { buffer, add } = setupBuffer()
  const heard: string[] = []
  const handovers = new Handovers(buffer, {
    hold: async (_memberKey, entries) => {
      heard.push(`sent ${entries.length}`)
      return 1
    },
  })
  handovers.onLeaving = ({ delivery }) => heard.push(`leaves ${delivery.seq}`)
  handovers.onStaying = ({ delivery }) => heard.push(`stays ${delivery.seq}`)
  add({ seq: 1 })
  add({ seq: 2 })
  await handovers.move('t1', 'bob', 'node-2#1')
  t.strictSame(heard, ['leaves 1', 'leaves 2', 'sent 2', 'stays 2'])
})
