import t from 'tap'
import { TokenBucket } from '../../lib/rate-limit/token-bucket.js'

/** A bucket under a clock of the test's. `take` answers how many of `count` tries got a token. */
function bucket (rate: number) {
  const clock = { now: 1_000_000 }
  const tokens = new TokenBucket(rate, () => clock.now)
  return {
    clock,
    take: (count = 1, atRate = rate) => Array.from({ length: count }, () => tokens.take(atRate)).filter(Boolean).length,
  }
}

t.test("a burst of a second's worth passes, no more", async t => {
  const { take } = bucket(10)
  t.equal(take(15), 10)
})

t.test('tokens come back at the rate', async t => {
  const { clock, take } = bucket(10)
  take(10)
  clock.now += 99
  t.equal(take(), 0)
  clock.now += 1
  t.equal(take(5), 1)
  clock.now += 450
  t.equal(take(5), 4)
  clock.now += 50
  t.equal(take(5), 1, 'the half that was left over counts')
})

t.test('an idle hour is no more than a second', async t => {
  const { clock, take } = bucket(10)
  take(10)
  clock.now += 3_600_000
  t.equal(take(100), 10)
})

t.test('over many small steps, as many pass as the rate says', async t => {
  const { clock, take } = bucket(7)
  take(7)
  let passed = 0
  for (let i = 0; i < 100_000; i++) {
    clock.now += 1
    passed += take()
  }
  t.ok(Math.abs(passed - 700) <= 1, `${passed} in 100 s at 7 a second`)
})

t.test('a rate that changes holds from the next try', async t => {
  const { clock, take } = bucket(100)
  t.equal(take(50, 5), 5, 'a lower one takes away what it would not have given')
  clock.now += 1000
  t.equal(take(50, 20), 20)
})

t.test('a clock that is set back takes nothing away and gives nothing', async t => {
  const { clock, take } = bucket(10)
  take(5)
  clock.now -= 500_000
  t.equal(take(10), 5)
  clock.now += 200
  t.equal(take(10), 2, 'and time goes on from there')
})

t.test('a rate below one a second lets one through now and then', async t => {
  const { clock, take } = bucket(0.25)
  t.equal(take(5), 1)
  clock.now += 3999
  t.equal(take(), 0)
  clock.now += 1
  t.equal(take(5), 1)
})
