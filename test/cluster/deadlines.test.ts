import { mock } from 'node:test'
import t from 'tap'
import { Deadlines } from '../../lib/cluster/deadlines.js'
import { PeerItem } from '../../lib/cluster/peer-item.js'

t.beforeEach(() => mock.timers.enable({ apis: ['setTimeout'] }))
t.afterEach(() => mock.timers.reset())

let time = 0
function pass (ms: number): void {
  time += ms
  mock.timers.tick(ms)
}

function item (id: number): PeerItem {
  return new PeerItem(id, 'deliver', 't1', 1, () => Buffer.alloc(0), () => {})
}

t.test('items expire when their own time is over, those of one moment together', async t => {
  const expired: number[][] = []
  const deadlines = new Deadlines(100, items => expired.push(items.map(({ id }) => id)), () => time)
  deadlines.add(item(1))
  deadlines.add(item(2))
  pass(60)
  deadlines.add(item(3))
  pass(39)
  t.same(expired, [])
  pass(1)
  t.same(expired, [[1, 2]])
  pass(59)
  t.same(expired, [[1, 2]])
  pass(1)
  t.same(expired, [[1, 2], [3]])
  t.equal(deadlines.size, 0)
})

t.test('what was settled does not expire, and later items still do', async t => {
  const expired: number[] = []
  const deadlines = new Deadlines(100, items => expired.push(...items.map(({ id }) => id)), () => time)
  const settled = item(1)
  deadlines.add(settled)
  deadlines.delete(settled)
  pass(100)
  deadlines.add(item(2))
  pass(100)
  t.same(expired, [2])
})

t.test('closed, it expires nothing', async t => {
  const deadlines = new Deadlines(100, () => t.fail('expired'), () => time)
  deadlines.add(item(1))
  deadlines.close()
  pass(1000)
  t.pass('nothing did')
})
