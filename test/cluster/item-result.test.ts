import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import fc from 'fast-check'
import t from 'tap'
import { decodeResult, encodeResult, newResult, type ItemResult } from '../../lib/cluster/item-result.js'
import { ResultSchema } from '../../lib/gen/mics/node/v1/node_pb.js'

const uint32 = fc.oneof(fc.integer({ min: 0, max: 300 }), fc.integer({ min: 0, max: 0xffffffff }))

const results: fc.Arbitrary<ItemResult> = fc.record({
  id: fc.oneof(fc.integer({ min: 0, max: 1000 }), fc.maxSafeNat()),
  missing: fc.array(uint32),
  moved: fc.array(uint32),
  count: uint32,
  failed: fc.boolean(),
})

function byProtobuf (result: ItemResult): Uint8Array {
  return toBinary(ResultSchema, create(ResultSchema, {
    ...result, id: BigInt(result.id), missing: [...result.missing], moved: [...result.moved],
  }))
}

function decodedByProtobuf (bytes: Uint8Array): ItemResult | undefined {
  try {
    const { id, missing, moved, count, failed } = fromBinary(ResultSchema, bytes)
    return { id: Number(BigInt.asIntN(64, id)), missing, moved, count, failed }
  } catch {
    return undefined
  }
}

t.test('results are coded as protobuf-es does it', async t => {
  fc.assert(fc.property(results, result => {
    t.ok(encodeResult(result).equals(byProtobuf(result)))
    t.strictSame(decodeResult(byProtobuf(result)), { ...result })
  }), { numRuns: 300 })
  t.strictSame(decodeResult(encodeResult(newResult(7))), newResult(7))
})

t.test('of any bytes at all it makes what protobuf-es makes, or nothing', async t => {
  const pieces = fc.oneof(fc.uint8Array({ maxLength: 8 }), results.map(byProtobuf), fc.constantFrom(
    [0x10, 0x05], [0x12, 0x02, 0x01, 0x81], [0x18, 0x80, 0x01], [0x1a, 0x01, 0x00], [0x28, 0x80, 0x01],
    [0x32, 0x01, 0x00]
  ).map(bytes => Uint8Array.from(bytes)))
  fc.assert(fc.property(fc.array(pieces, { maxLength: 4 }).map(parts => Buffer.concat(parts)), bytes => {
    const ours = decodeResult(bytes)
    if (ours !== undefined) t.strictSame(ours, decodedByProtobuf(bytes), bytes.toString('hex'))
  }), { numRuns: 2000 })
})

t.test('bytes that are no result are none, unknown fields are left out', async t => {
  for (const hex of ['ff', '08', '1205', '1a0181', '0d00']) {
    t.equal(decodeResult(Buffer.from(hex, 'hex')), undefined, hex)
  }
  t.strictSame(decodeResult(Buffer.from('08073a0100', 'hex')), newResult(7))
})
