import assert from 'node:assert/strict'
import { create, toBinary } from '@bufbuild/protobuf'
import { WireType } from '@bufbuild/protobuf/wire'
import fc from 'fast-check'
import t from 'tap'
import {
  decodeItem, deliverSize, encodeArrival, encodeDeliver, encodeHold, type Deliver,
} from '../../lib/cluster/item-codec.js'
import { DeliverSchema, HeldMessageSchema, ItemSchema } from '../../lib/gen/mics/node/v1/node_pb.js'
import { damaged, embedded, prefixed, tagged, text, uint32, unknownField } from '../protocol/wire-arbitraries.js'

const anyDeliver: fc.Arbitrary<Deliver> = fc.record({
  message: fc.uint8Array({ maxLength: 300 }).map(bytes => Buffer.from(bytes)),
  userIds: fc.array(text, { maxLength: 5 }),
  shared: fc.array(uint32, { maxLength: 5 }),
  seq: fc.oneof(fc.nat(), fc.maxSafeNat()),
  traceparent: fc.oneof(fc.constant(''), text),
})
const anyId = fc.oneof(fc.integer({ min: 1 }), fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }))

function encode (id: number, deliver: Deliver): Buffer {
  return encodeDeliver(id, deliver, deliverSize(deliver))
}

function reference (id: number, { message, userIds, shared, seq, traceparent }: Deliver): Buffer {
  const lists = { userIds: [...userIds], shared: [...shared] }
  const value = create(DeliverSchema, { message, ...lists, seq: BigInt(seq), traceparent })
  return Buffer.from(toBinary(ItemSchema, create(ItemSchema, { id: BigInt(id), kind: { case: 'deliver', value } })))
}

t.test('a Deliver is the bytes that protobuf-es writes', async () => {
  fc.assert(fc.property(anyId, anyDeliver, (id, deliver) => {
    assert.equal(encode(id, deliver).toString('hex'), reference(id, deliver).toString('hex'))
  }), { numRuns: 1000 })
})

t.test('what protobuf-es writes is read, fields of later releases are skipped', async () => {
  fc.assert(fc.property(anyId, anyDeliver, fc.array(unknownField(6), { maxLength: 2 }), (id, deliver, unknown) => {
    const item = Buffer.concat([reference(id, deliver), ...unknown])
    assert.deepEqual(decodeItem(embedded(item)), { id, kind: 'deliver', deliver: { ...deliver } })
  }), { numRuns: 1000 })
})

/** Fields of an item with the id 5. */
function item5 (...fields: Uint8Array[]): Buffer {
  return Buffer.concat([tagged(1, WireType.Varint, Uint8Array.of(5)), ...fields])
}

t.test('positions that are not packed are read as well', t => {
  const shared = [Uint8Array.of(3), Uint8Array.of(0xc8, 1)].map(value => tagged(3, WireType.Varint, value))
  const item = item5(prefixed(2, Buffer.concat(shared)))
  t.match(decodeItem(item), { id: 5, kind: 'deliver', deliver: { shared: [3, 200] } })
  t.end()
})

t.test('Hold and Arrival come back as they went', t => {
  const messages = [create(HeldMessageSchema, { message: Buffer.from('m'), userId: 'bob', ttlMs: 5n, seq: 9n })]
  for (const isHandover of [false, true]) {
    const hold = decodeItem(encodeHold(1, messages, isHandover))
    t.match(hold, { id: 1, kind: 'hold', messages: [{ userId: 'bob', ttlMs: 5n, seq: 9n }], isHandover })
  }
  const arrival = { tenantId: 't', userId: 'bob', deviceId: 'd', order: 2 ** 40, memberKey: 'a#1' }
  t.match(decodeItem(encodeArrival(2, arrival)), { id: 2, kind: 'arrive', arrival: { ...arrival, order: 2n ** 40n } })
  t.end()
})

t.test('an item that cannot be read keeps its id, where that can be read', t => {
  const deliver = encode(5, { message: Buffer.from('message'), userIds: ['bob'], shared: [], seq: 1, traceparent: '' })
  const malformed = { id: 5, kind: 'malformed' }
  t.same(decodeItem(deliver.subarray(0, deliver.length - 1)), malformed, 'cut')
  t.same(decodeItem(Buffer.concat([deliver, prefixed(3, Buffer.alloc(0))])), malformed, 'two kinds')
  t.same(decodeItem(item5()), malformed, 'no kind')
  t.same(decodeItem(item5(prefixed(9, Buffer.alloc(0)))), malformed, 'a kind of a later release')
  t.same(decodeItem(item5(prefixed(3, Uint8Array.of(0xff)))), malformed, 'a Hold that is none')
  t.equal(decodeItem(Buffer.from('nonsense')), undefined)
  t.equal(decodeItem(Buffer.alloc(0)), undefined)
  t.end()
})

t.test('damaged items are read or refused, never thrown at, and nothing beside them is read', async () => {
  const valid = fc.tuple(anyId, anyDeliver).map(([id, deliver]) => encode(id, deliver))
  fc.assert(fc.property(damaged(valid), bytes => {
    assert.deepEqual(decodeItem(embedded(bytes)), decodeItem(Buffer.from(bytes)))
  }), { numRuns: 2000 })
})
