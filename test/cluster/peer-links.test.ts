import t from 'tap'
import { aDelivery, NOBODY, startLinks, startPeer } from './link-pair.js'

t.test('a message reaches the peer as it is, with who gets it and who gets it elsewhere too', async t => {
  const peer = await startPeer(t)
  const { links } = startLinks(t, [peer.member])
  const delivery = aDelivery({ msgBody: Buffer.from('to all'), timestampMs: 1_760_000_000_123n })
  const forwarded = await links.deliver(peer.member.key, delivery, ['bob', 'carol', 'dave'], new Set(['carol', 'zoe']))
  t.same(forwarded, { kind: 'answered', missing: [], moved: [], devices: 3 })
  const [got] = peer.service.delivered
  t.same(got.delivery.message, delivery.message)
  t.equal(got.delivery.seq, delivery.seq)
  t.same(got.userIds, ['bob', 'carol', 'dave'])
  t.same([...got.shared], ['carol'])
})

t.test('the answer names who was missing and who has moved', async t => {
  const peer = await startPeer(t)
  const { links } = startLinks(t, [peer.member])
  peer.service.onDeliver = () => ({ missing: ['carol', 'alice'], moved: ['bob'], devices: 4 })
  t.same(await links.deliver(peer.member.key, aDelivery(), ['alice', 'bob', 'carol', 'dave'], NOBODY),
    { kind: 'answered', missing: ['carol', 'alice'], moved: ['bob'], devices: 4 })
  t.same([...links.calls.deliver.entries()].filter(([, count]) => count > 0), [['answered', 1]])
})
