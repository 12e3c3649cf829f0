import t from 'tap'
import { EventLoopLag } from '../../lib/metrics/event-loop-lag.js'

/** How many looks were at most so late, by bound in seconds. */
function lookAfter (...pausesMs: number[]): Record<string, number> {
  let now = 0
  const lag = new EventLoopLag(() => now)
  lag.close()
  for (const pause of pausesMs) {
    now += pause
    lag.look()
  }
  const counts: Record<string, number> = {}
  lag.histogram.emit({}, ({ le }, value, suffix = '') => { counts[le === undefined ? suffix.slice(1) : String(le)] = value })
  return counts
}

t.test('a timer in time has no lag', t => {
  t.match(lookAfter(20, 20, 19), { 0.005: 3, sum: 0, count: 3 })
  t.end()
})

t.test('one that is late a little counts once', t => {
  t.match(lookAfter(20, 28), { 0.005: 1, 0.01: 2, sum: 0.008, count: 2 })
  t.end()
})

t.test('a pause counts as all the looks that it swallowed', t => {
  // Looks that would have been late by 1000, 980, ... 20 ms.
  t.match(lookAfter(1020), { 0.01: 0, 0.025: 1, 0.1: 5, 0.5: 25, 1: 50, count: 50 })
  t.end()
})

t.test('a night asleep is not counted in full', t => {
  t.match(lookAfter(8 * 3600 * 1000), { 5: 0, count: 500 })
  t.end()
})
