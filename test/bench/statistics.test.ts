import t from 'tap'
import { median, quantile, ratioOf } from '../../bench/statistics.js'

t.test('the median is the value in the middle, or between the two there', async t => {
  t.equal(median([3, 1, 2]), 2)
  t.equal(median([4, 1, 2, 3]), 2.5)
  t.ok(Number.isNaN(median([])))
})

t.test('a quantile is a value that so many are below', async t => {
  const hundred = Array.from({ length: 100 }, (_, i) => i)
  t.equal(quantile(hundred, 0.5), 50)
  t.equal(quantile(hundred, 0.99), 99)
  t.equal(quantile([7], 0.99), 7)
  t.ok(Number.isNaN(quantile([], 0.99)))
})

t.test('a ratio is that of the medians, its spread that of the rounds', async t => {
  t.same(ratioOf([20, 30, 40], [10, 10, 40]), { value: 3, from: 1, to: 3 })
})
