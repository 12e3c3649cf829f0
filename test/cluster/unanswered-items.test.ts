import t from 'tap'
import { MAX_UNANSWERED, MAX_UNANSWERED_BYTES } from '../../lib/cluster/node-rpc-limits.js'
import { PeerItem, type ItemKind } from '../../lib/cluster/peer-item.js'
import { UnansweredItems } from '../../lib/cluster/unanswered-items.js'

let lastId = 0

function item (kind: ItemKind, { tenantId = 't1', bytes = 1 } = {}): PeerItem {
  return new PeerItem(++lastId, kind, tenantId, bytes, () => Buffer.alloc(0), () => {})
}

function add (unanswered: UnansweredItems, count: number, make: () => PeerItem): PeerItem[] {
  const items = Array.from({ length: count }, make)
  for (const each of items) unanswered.add(each)
  return items
}

t.test('only so many messages, and bytes of them, go out unanswered', async t => {
  const many = new UnansweredItems()
  const [first] = add(many, MAX_UNANSWERED, () => item('deliver'))
  t.equal(many.maySend(item('deliver')), false)
  many.delete(first)
  t.equal(many.maySend(item('deliver')), true)

  const large = new UnansweredItems()
  const [one] = add(large, 1, () => item('deliver', { bytes: MAX_UNANSWERED_BYTES }))
  t.equal(large.maySend(item('deliver')), false)
  large.delete(one)
  t.equal(large.maySend(item('deliver')), true)
})

t.test('what takes its time holds up no message, and one tenant\'s has half of the places', async t => {
  const unanswered = new UnansweredItems()
  add(unanswered, MAX_UNANSWERED / 2, () => item('arrive', { bytes: MAX_UNANSWERED_BYTES }))
  t.equal(unanswered.maySend(item('hold')), false)
  t.equal(unanswered.maySend(item('hold', { tenantId: 't2' })), true)
  t.equal(unanswered.maySend(item('deliver')), true)
  const others = add(unanswered, MAX_UNANSWERED / 2, () => item('hold', { tenantId: 't2' }))
  t.equal(unanswered.maySend(item('arrive', { tenantId: 't3' })), false)
  unanswered.delete(others[0])
  t.equal(unanswered.maySend(item('arrive', { tenantId: 't3' })), true)
})

t.test('taken all, none counts any more', async t => {
  const unanswered = new UnansweredItems()
  const sent = [...add(unanswered, MAX_UNANSWERED, () => item('deliver')), ...add(unanswered, 3, () => item('hold'))]
  t.same(unanswered.takeAll(), sent)
  t.equal(unanswered.maySend(item('deliver')), true)
  unanswered.delete(sent[0])
  add(unanswered, MAX_UNANSWERED, () => item('deliver'))
  t.equal(unanswered.maySend(item('deliver')), false)
})
