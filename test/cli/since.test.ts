import { InvalidArgumentError } from 'commander'
import t from 'tap'
import { parseSince } from '../../cli/since.js'

t.test('a time ago is counted from now', async t => {
  const now = 1_000_000_000_000
  t.equal(parseSince('90s', now), now - 90_000)
  t.equal(parseSince('10m', now), now - 600_000)
  t.equal(parseSince('2h', now), now - 7_200_000)
  t.equal(parseSince('3d', now), now - 259_200_000)
  t.equal(parseSince('999999999d', now), 0, 'there is nothing before 1970')
})

t.test('a point in time is itself', async t => {
  t.equal(parseSince('2026-01-31T08:00:00Z'), 1_769_846_400_000)
  t.equal(parseSince('2026-01-31T09:00:00+01:00'), 1_769_846_400_000)
  t.equal(parseSince('2026-01-31'), 1_769_817_600_000, 'the beginning of a day, in UTC')
  t.equal(parseSince('1969-01-01'), 0)
})

t.test('anything else is refused', async t => {
  for (const text of ['', '10', 'm', '10 m', '-10m', '1.5h', '10w', 'yesterday', '2026-13-01', '2026', 'Jan 1 2026', '2026-01-31 08:00']) {
    t.throws(() => parseSince(text), InvalidArgumentError, text)
  }
})
