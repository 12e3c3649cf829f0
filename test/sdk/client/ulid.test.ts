import t from 'tap'
import { ulid } from '../../../sdk/client/src/ulid.js'

t.test('the specification\'s example of a time', async t => {
  t.equal(ulid(1469918176385, () => 0), '01ARYZ6S410000000000000000')
})

t.test('26 characters of Crockford\'s base 32', async t => {
  for (let i = 0; i < 1000; i++) t.match(ulid(Date.now(), Math.random), /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/)
})

t.test('from the earliest time to the latest, whatever the random numbers', async t => {
  t.equal(ulid(0, () => 0), '0'.repeat(26))
  t.equal(ulid(2 ** 48 - 1, () => 0.9999999999), `7${'Z'.repeat(25)}`)
  t.match(ulid(0.5, () => 1), /^0{26}$/, 'a random of 1 is out of its range, and no reason for a bad id')
})

t.test('ids sort by time', async t => {
  let last = ''
  for (let now = 1; now < 2 ** 48; now = now * 2 + 1) {
    const id = ulid(now, Math.random)
    t.ok(id > last, `${id} after ${last}`)
    last = id
  }
})

t.test('all 80 bits are used: 100,000 ids of one millisecond differ, in every character', async t => {
  const ids = Array.from({ length: 100_000 }, () => ulid(1_700_000_000_000, Math.random))
  t.equal(new Set(ids).size, ids.length)
  for (let at = 10; at < 26; at++) t.equal(new Set(ids.map(id => id[at])).size, 32)
})

t.test('what is no time is refused', async t => {
  for (const now of [-1, NaN, 2 ** 48, Infinity]) t.throws(() => ulid(now, Math.random), { name: 'RangeError', message: /Unix milliseconds/ })
})
