import t from 'tap'
import { SpanIds } from '../../lib/tracing/span-ids.js'

t.test('each id is 16 hex digits and comes once', async t => {
  const ids = new SpanIds()
  const made = Array.from({ length: 5000 }, () => ids.next())
  t.ok(made.every(id => /^[0-9a-f]{16}$/.test(id)))
  t.equal(new Set(made).size, made.length)
})

t.test('no id is all zeros', async t => {
  let fills = 0
  const ids = new SpanIds(pool => pool.fill(0).writeUInt8(++fills, 15))
  t.equal(ids.next(), '0000000000000001')
  t.equal(ids.next(), '0000000000000002')
})
