import t from 'tap'
import { RecentArrivals } from '../../lib/presence/recent-arrivals.js'

t.test('an arrival is remembered for as long as it must be, and no longer than twice that', async t => {
  let now = 0
  const arrivals = new RecentArrivals(1000, () => now)
  t.equal(arrivals.has('t1', 'bob'), false)
  now = 900
  arrivals.add('t1', 'bob')
  t.equal(arrivals.has('t1', 'bob'), true)
  t.equal(arrivals.has('t2', 'bob'), false)
  now = 1899
  t.equal(arrivals.has('t1', 'bob'), true)
  now = 2900
  t.equal(arrivals.has('t1', 'bob'), false)
})

t.test('a long silence leaves nothing behind', async t => {
  let now = 0
  const arrivals = new RecentArrivals(1000, () => now)
  arrivals.add('t1', 'bob')
  now = 2000
  arrivals.add('t1', 'carol')
  t.equal(arrivals.has('t1', 'bob'), false)
  t.equal(arrivals.has('t1', 'carol'), true)
})
