import { setImmediate as nextTurn } from 'node:timers/promises'
import t from 'tap'
import { closeAll } from '../../lib/connections/close-all.js'
import { FakeSession } from './fake-session.js'

const NEVER = new AbortController().signal

function sessions (count: number, isIdle = true): FakeSession[] {
  return Array.from({ length: count }, (_, i) => new FakeSession('t1', `u${i}`, 'd', isIdle))
}

function close (list: FakeSession[], windowMs: number, deadline: AbortSignal): Promise<void> {
  return closeAll(list.map(session => session.asSession), windowMs, deadline)
}

/** How many are closed, each once and with 4200. */
function closed (list: FakeSession[]): number {
  return list.filter(({ closedWith }) => closedWith.length === 1 && closedWith[0] === 4200).length
}

t.test('nobody is nothing to do', async () => {
  await close([], 60_000, NEVER)
})

t.test('a hundred sessions are closed at once with 4200, each finished first', async t => {
  const list = sessions(100)
  await close(list, 60_000, NEVER)
  t.equal(closed(list), 100)
  t.ok(list.every(({ finishing }) => finishing))
})

t.test('more are closed in batches, and those of a later batch go on until it is their turn', async t => {
  const list = sessions(250)
  const deadline = new AbortController()
  const done = close(list, 3_600_000, deadline.signal)
  await nextTurn()
  t.equal(closed(list), 100)
  t.equal(list.filter(({ finishing }) => finishing).length, 100)
  deadline.abort()
  await done
  t.equal(closed(list), 250)
})

t.test('the batches are spread over the window and it ends without the deadline', async t => {
  const list = sessions(201)
  // What waits between batches does not keep a process alive.
  const alive = setInterval(() => {}, 1000)
  await close(list, 30, NEVER)
  clearInterval(alive)
  t.equal(closed(list), 201)
})

t.test('ten thousand take fifty batches', async t => {
  const list = sessions(10_000)
  const deadline = new AbortController()
  const done = close(list, 3_600_000, deadline.signal)
  await nextTurn()
  t.equal(closed(list), 200)
  deadline.abort()
  await done
  t.equal(closed(list), 10_000)
})

t.test('a session that has something to finish is closed when it has', async t => {
  const list = [...sessions(2), ...sessions(1, false)]
  const done = close(list, 60_000, NEVER)
  await nextTurn()
  t.ok(list[2].finishing)
  t.strictSame(list[2].closedWith, [])
  list[2].idle()
  await done
  t.equal(closed(list), 3)
})

t.test('at the deadline whoever is left is closed, finished or not', async t => {
  const list = sessions(300, false)
  const deadline = new AbortController()
  const done = close(list, 3_600_000, deadline.signal)
  await nextTurn()
  t.equal(closed(list), 0)
  deadline.abort()
  await done
  t.equal(closed(list), 300)
})

t.test('a deadline that has passed already leaves no time', async t => {
  const list = sessions(300, false)
  await close(list, 3_600_000, AbortSignal.abort())
  t.equal(closed(list), 300)
})
