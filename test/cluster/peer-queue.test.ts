import t from 'tap'
import { PeerItem } from '../../lib/cluster/peer-item.js'
import { PeerQueue } from '../../lib/cluster/peer-queue.js'

const KIB = 1024
let lastId = 0

function item (tenantId: string, bytes = 1000): PeerItem {
  return new PeerItem(++lastId, 'deliver', tenantId, bytes, () => Buffer.alloc(0), () => {})
}

function filled (items: PeerItem[], maxBytes = 1000 * KIB): PeerQueue {
  const queue = new PeerQueue(maxBytes)
  for (const each of items) queue.add(each)
  return queue
}

const always = (): boolean => true

t.test('a tenant keeps its order, and its flood waits for the one message of another', async t => {
  const flood = Array.from({ length: 500 }, () => item('loud'))
  const one = item('quiet')
  const queue = filled([...flood, one])
  const first = queue.take(64 * KIB, always)
  t.ok(first.includes(one))
  t.same([...first, ...queue.take(1000 * KIB, always)].filter(({ tenantId }) => tenantId === 'loud'), flood)
  t.ok(queue.isEmpty)
})

t.test('turns are of bytes: who sends large messages has no more of the link', async t => {
  const large = Array.from({ length: 8 }, () => item('large', 60 * KIB))
  const small = Array.from({ length: 300 }, () => item('small', KIB))
  const queue = filled([...large, ...small])
  let bytesOfSmall = 0
  let bytesOfLarge = 0
  while (bytesOfLarge < 200 * KIB) {
    for (const { tenantId, bytes } of queue.take(64 * KIB, always)) {
      if (tenantId === 'small') bytesOfSmall += bytes
      else bytesOfLarge += bytes
    }
  }
  t.ok(bytesOfSmall >= 150 * KIB, `${bytesOfSmall} bytes of the small ones beside ${bytesOfLarge}`)
})

t.test('what is larger than a batch goes alone', async t => {
  const [before, large, after] = [item('t1', KIB), item('t1', 500 * KIB), item('t1', KIB)]
  const queue = filled([before, large, after], 2000 * KIB)
  t.same([1, 2, 3].map(() => queue.take(64 * KIB, always)), [[before], [large], [after]])
})

t.test('a tenant has half of the room, all have the whole', async t => {
  const queue = new PeerQueue(100 * KIB)
  t.equal(queue.add(item('t1', 50 * KIB)), true)
  t.equal(queue.add(item('t1', 1)), false)
  t.equal(queue.add(item('t2', 49 * KIB)), true)
  t.equal(queue.add(item('t3', KIB + 1)), false)
  t.equal(queue.add(item('t3', KIB)), true)
  t.equal(queue.bytes, 100 * KIB)
})

t.test('what is under way holds its room until it is settled', async t => {
  const queue = new PeerQueue(100)
  const taken = item('t1', 50)
  queue.add(taken)
  queue.take(100, always)
  t.ok(queue.isEmpty)
  t.equal(queue.add(item('t1', 1)), false)
  queue.release(taken)
  t.equal(queue.add(item('t1', 50)), true)
  t.equal(queue.bytes, 50)
})

t.test('one item fits into an empty queue whatever its size', async t => {
  const queue = new PeerQueue(100)
  t.equal(queue.add(item('t1', 5000)), true)
  t.equal(queue.take(100, always).length, 1)
})

t.test('what comes back goes out first, in its order', async t => {
  const all = Array.from({ length: 6 }, (_, i) => item(i % 2 === 0 ? 'even' : 'odd'))
  const queue = filled(all)
  const taken = queue.take(4000, always)
  queue.putBack(taken)
  const again = queue.take(100 * KIB, always)
  for (const tenant of ['even', 'odd']) {
    t.same(again.filter(({ tenantId }) => tenantId === tenant), all.filter(({ tenantId }) => tenantId === tenant))
  }
  t.equal(queue.bytes, 6000)
})

t.test('what is settled while it waits never goes out, wherever in the queue it was', async t => {
  const all = Array.from({ length: 5 }, () => item('t1'))
  for (const gone of [0, 2, 4]) {
    const queue = filled(all)
    queue.release(all[gone])
    t.same(queue.list(), all.filter((_, i) => i !== gone))
    t.same(queue.take(100 * KIB, always), all.filter((_, i) => i !== gone))
    t.equal(queue.bytes, 4000)
  }
})

t.test('a tenant whose next item may not go waits, the others do not', async t => {
  const [held, behind, other] = [item('t1'), item('t1'), item('t2')]
  const queue = filled([held, behind, other])
  t.same(queue.take(100 * KIB, each => each !== held), [other])
  t.same(queue.take(100 * KIB, each => each !== held), [])
  t.same(queue.take(100 * KIB, always), [held, behind])
})
