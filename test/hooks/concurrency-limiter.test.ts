import { mock } from 'node:test'
import t from 'tap'
import { ConcurrencyLimiter } from '../../lib/hooks/concurrency-limiter.js'

t.beforeEach(() => mock.timers.enable({ apis: ['setTimeout'] }))
t.afterEach(() => mock.timers.reset())

t.test('as many run at once as the limit says, without waiting', async t => {
  const limiter = new ConcurrencyLimiter()
  t.equal(limiter.acquire(2, 10), true)
  t.equal(limiter.acquire(2, 10), true)
  const third = limiter.acquire(2, 10)
  t.type(third, Promise)
  t.equal(limiter.running, 2)
  t.equal(limiter.waiting, 1)
  limiter.release()
  t.equal(await third, true)
  t.equal(limiter.running, 2, 'the place went over')
  t.equal(limiter.waiting, 0)
})

t.test('those that wait are served first come, first served', async t => {
  const limiter = new ConcurrencyLimiter()
  limiter.acquire(1, 10)
  const served: number[] = []
  const waiting = [1, 2, 3].map(async n => {
    if (await limiter.acquire(1, 10)) served.push(n)
  })
  limiter.release()
  limiter.release()
  limiter.release()
  await Promise.all(waiting)
  t.same(served, [1, 2, 3])
  limiter.release()
  t.equal(limiter.running, 0)
})

t.test('who waits too long is refused and leaves the queue, the others stay in it', async t => {
  const limiter = new ConcurrencyLimiter()
  limiter.acquire(1, 10)
  const impatient = limiter.acquire(1, 5)
  const patient = limiter.acquire(1, 50)
  mock.timers.tick(5)
  t.equal(await impatient, false)
  t.equal(limiter.waiting, 1)
  limiter.release()
  t.equal(await patient, true)
  mock.timers.tick(100)
  t.equal(limiter.running, 1, 'its timer has no say any more')
})

t.test('a timeout of 0 waits for nothing', async t => {
  const limiter = new ConcurrencyLimiter()
  limiter.acquire(1, 0)
  t.equal(limiter.acquire(1, 0), false)
  t.equal(limiter.waiting, 0)
  limiter.release()
  t.equal(limiter.acquire(1, 0), true)
})

t.test('the queue is bounded', async t => {
  const limiter = new ConcurrencyLimiter()
  limiter.acquire(1, 10)
  const waiting = Array.from({ length: 100 }, () => limiter.acquire(1, 10))
  const queued = waiting.filter(granted => granted !== false)
  t.ok(queued.length > 0 && queued.length < 100)
  t.equal(limiter.waiting, queued.length)
  mock.timers.tick(10)
  t.ok((await Promise.all(queued)).every(granted => !granted))
  t.equal(limiter.waiting, 0)
})

t.test('all places are free again when all have ended, however it went', async t => {
  const limiter = new ConcurrencyLimiter()
  const limit = 4
  const calls = Array.from({ length: 30 }, async (_, n) => {
    if (!await limiter.acquire(limit, 1 + n % 3)) return false
    t.ok(limiter.running <= limit)
    await Promise.resolve()
    if (n % 2 === 0) mock.timers.tick(1)
    limiter.release()
    return true
  })
  await Promise.all(calls)
  t.equal(limiter.running, 0)
  t.equal(limiter.waiting, 0)
})

t.test('a raised limit holds for the next call at once', async t => {
  const limiter = new ConcurrencyLimiter()
  limiter.acquire(1, 0)
  t.equal(limiter.acquire(1, 0), false)
  t.equal(limiter.acquire(2, 0), true)
})

t.test('one that is given more time keeps its place, and the time is over when no more is given', async t => {
  const limiter = new ConcurrencyLimiter()
  limiter.acquire(1, 10)
  const more = [5, 5]
  const served: number[] = []
  const first = Promise.resolve(limiter.acquire(1, 10, () => more.shift() ?? 0)).then(granted => {
    if (granted) served.push(1)
    return granted
  })
  const second = Promise.resolve(limiter.acquire(1, 100)).then(granted => { if (granted) served.push(2) })
  mock.timers.tick(10)
  mock.timers.tick(5)
  t.same(more, [])
  t.equal(limiter.waiting, 2)
  limiter.release()
  limiter.release()
  await Promise.all([first, second])
  t.same(served, [1, 2])

  const third = limiter.acquire(1, 10, () => [5, 0][more.push(0) - 1])
  mock.timers.tick(10)
  t.equal(limiter.waiting, 1)
  mock.timers.tick(5)
  t.equal(await third, false)
  t.equal(limiter.waiting, 0)
})
