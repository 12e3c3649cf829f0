import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import fc from 'fast-check'
import t from 'tap'
import { CheckMessageResponseSchema } from '../../lib/gen/mics/hook/v1/hook_pb.js'
import { decodeCheckAnswer } from '../../lib/hooks/check-answer.js'
import type { CheckVerdict } from '../../lib/hooks/check-verdicts.js'

function theirs (body: Uint8Array): CheckVerdict | undefined {
  try {
    const { allow, reason } = fromBinary(CheckMessageResponseSchema, body)
    return { allow, reason }
  } catch {
    return undefined
  }
}

t.test('what protobuf-es encodes is decoded, whatever else is in it', async t => {
  const text = fc.string({ unit: 'grapheme' })
  fc.assert(fc.property(fc.boolean(), text, text, fc.uint8Array({ maxLength: 40 }), (allow, reason, traceId, rest) => {
    const response = create(CheckMessageResponseSchema, { meta: { traceId }, allow, reason })
    // A field of a later version, number 100.
    const later = Buffer.concat([Buffer.from([0xa2, 0x06, rest.length]), rest])
    const body = Buffer.concat([toBinary(CheckMessageResponseSchema, response), later])
    t.strictSame(decodeCheckAnswer(body), { allow, reason })
  }), { numRuns: 200 })
})

t.test('of any bytes at all it makes what protobuf-es makes, or nothing', async t => {
  const pieces = fc.oneof(fc.uint8Array({ maxLength: 12 }), fc.constantFrom(
    [0x0a, 0x02, 0x0a, 0x00], [0x10, 0x01], [0x10, 0x80, 0x80, 0x01], [0x10, 0x80, 0x00], [0x1a, 0x02, 0x68, 0x69],
    [0x1a, 0x01, 0xff], [0x10, ...Array(10).fill(0xff) as number[], 0x01], [0x12, 0x00], [0x18, 0x01]
  ).map(bytes => Uint8Array.from(bytes)))
  fc.assert(fc.property(fc.array(pieces, { maxLength: 4 }).map(parts => Buffer.concat(parts)), body => {
    const ours = decodeCheckAnswer(body)
    if (ours !== undefined) t.strictSame(ours, theirs(body), body.toString('hex'))
  }), { numRuns: 2000 })
})

t.test('a body that is none is none', async t => {
  for (const hex of ['ff', '10', '1a05', '1200', '0a0108', '1801']) {
    t.equal(decodeCheckAnswer(Buffer.from(hex, 'hex')), undefined, hex)
  }
  t.strictSame(decodeCheckAnswer(Buffer.alloc(0)), { allow: false, reason: '' })
})
