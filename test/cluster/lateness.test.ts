import t from 'tap'
import { Lateness } from '../../lib/cluster/lateness.js'

t.test('it is measured against the quickest, whatever the sender\'s clock says', async t => {
  let now = 1_000_000
  const lateness = new Lateness(() => now)
  const skew = 3_600_000
  t.equal(lateness.of(now + skew - 20), 0, 'the first')
  t.equal(lateness.of(now + skew - 5), 0, 'quicker')
  t.equal(lateness.of(now + skew - 25), 20)
  now += 700
  t.equal(lateness.of(now + skew - 705), 700)
})

t.test('clocks may drift: the quickest is forgotten after two minutes at most', async t => {
  let now = 0
  const lateness = new Lateness(() => now)
  lateness.of(0)
  now = 60_000
  t.equal(lateness.of(now - 100), 100)
  now = 120_000
  t.equal(lateness.of(now - 100), 0)
  now = 1_000_000
  t.equal(lateness.of(now - 5000), 0, 'after a long silence, too')
})
