import assert from 'node:assert/strict'
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { WireType } from '@bufbuild/protobuf/wire'
import fc from 'fast-check'
import t from 'tap'
import { CheckMessageResponseSchema, CheckMessagesResponseSchema } from '../../lib/gen/mics/hook/v1/hook_pb.js'
import { decodeVerdict, decodeVerdicts, type CheckVerdict } from '../../lib/hooks/check-verdicts.js'
import {
  damaged, embedded, group, overlong, prefixed, tagged, text, unknownField, varint,
} from '../protocol/wire-arbitraries.js'

const MANY = 1000

function response (verdicts: Array<Partial<CheckVerdict>>): Uint8Array {
  return toBinary(CheckMessagesResponseSchema, create(CheckMessagesResponseSchema, {
    meta: { tenantId: 'acme', requestId: 'r1', timestampMs: 1_760_000_000_123n }, verdicts,
  }))
}

function verdictsIn (body: Uint8Array, max = MANY): CheckVerdict[] | undefined {
  return decodeVerdicts(embedded(body), max)
}

/** The verdicts as protobuf-es finds them; throws where it does. */
function reference (body: Uint8Array): CheckVerdict[] {
  return fromBinary(CheckMessagesResponseSchema, body).verdicts.map(({ allow, reason }) => ({ allow, reason }))
}

t.test('the verdicts come in order', async t => {
  const verdicts = [
    { allow: true, reason: '' }, { allow: false, reason: 'spam' }, { allow: false, reason: '' },
    { allow: true, reason: 'but careful' }, { allow: false, reason: '敏感词 😀' },
  ]
  t.strictSame(verdictsIn(response(verdicts)), verdicts)
})

t.test('a response without verdicts, and one with nothing but empty ones, which allow nothing', async t => {
  t.strictSame(verdictsIn(new Uint8Array()), [])
  t.strictSame(verdictsIn(response([])), [])
  t.strictSame(verdictsIn(Buffer.from([0x12, 0, 0x12, 0])), [{ allow: false, reason: '' }, { allow: false, reason: '' }])
})

t.test('of too many verdicts one more than asked for is returned', async t => {
  for (const count of [3, 4, 5, 1000]) {
    t.equal(verdictsIn(response(Array(count).fill({ allow: true })), 3)?.length, Math.min(count, 4))
  }
})

t.test('what says it twice means the last', async t => {
  const yes = tagged(1, WireType.Varint, varint(1n))
  const no = tagged(1, WireType.Varint, varint(0n))
  t.strictSame(verdictsIn(prefixed(2, Buffer.concat([yes, no]))), [{ allow: false, reason: '' }])
  t.strictSame(verdictsIn(prefixed(2, Buffer.concat([no, yes]))), [{ allow: true, reason: '' }])
})

t.test('not a CheckMessagesResponse', async t => {
  const yes = prefixed(2, tagged(1, WireType.Varint, varint(1n)))
  const cases: Record<string, Uint8Array> = {
    text: Buffer.from('{"verdicts":[{"allow":true}]}'),
    'a verdict as a varint': tagged(2, WireType.Varint, varint(1n)),
    'the allow of a CheckMessageResponse, one field off': Buffer.concat([yes, tagged(2, WireType.Varint, varint(1n))]),
    'the meta as a varint': Buffer.concat([tagged(1, WireType.Varint, varint(1n)), yes]),
    'a meta that is no message': Buffer.concat([prefixed(1, Buffer.from([0xff])), yes]),
    'an allow that is a text': prefixed(2, prefixed(1, Buffer.from('yes'))),
    'a reason that is a number': prefixed(2, tagged(2, WireType.Varint, varint(1n))),
    'a reason that is not UTF-8': prefixed(2, prefixed(2, Buffer.from([0x61, 0xff]))),
    'a field that ends after its verdict': Buffer.concat([Buffer.from([0x12, 2, 0x12, 5]), yes]),
    'a verdict past the end': Buffer.concat([yes, Buffer.from([0x12, 4, 0x08, 1])]),
    'an allow without its value': Buffer.from([0x12, 1, 0x08]),
    'a huge length': Buffer.concat([yes, Buffer.from([0x12]), varint(2n ** 32n)]),
    'field number 0': Buffer.concat([yes, Buffer.from([0x00, 0x00])]),
    'a group without an end': Buffer.concat([yes, Buffer.from([0x1b])]),
  }
  for (const [name, body] of Object.entries(cases)) t.equal(verdictsIn(body), undefined, name)
})

/** A bool as anyone may spell it. */
const allowField = fc.tuple(fc.constantFrom(0n, 1n, 1n, 2n, 300n, 2n ** 35n, -1n), fc.constantFrom(0, 0, 1, 5))
  .map(([value, padding]) => tagged(1, WireType.Varint, varint(value, padding)))
const reasonField = fc.tuple(text, fc.constantFrom(0, 0, 1, 8))
  .map(([reason, padding]) => overlong(2, Buffer.from(reason), padding))
const verdictField = fc.tuple(
  fc.array(fc.oneof(
    { weight: 3, arbitrary: allowField },
    { weight: 2, arbitrary: reasonField },
    { weight: 1, arbitrary: unknownField(3) }
  ), { maxLength: 5 }),
  fc.constantFrom(0, 0, 0, 1, 8)
).map(([fields, padding]) => overlong(2, Buffer.concat(fields), padding))
const metaText = text.map(value => prefixed(2, Buffer.from(value)))
const metaField = fc.array(fc.oneof(unknownField(6), metaText), { maxLength: 3 })
  .map(fields => prefixed(1, Buffer.concat(fields)))
const body: fc.Arbitrary<Uint8Array> = fc.array(fc.oneof(
  { weight: 6, arbitrary: verdictField },
  { weight: 1, arbitrary: metaField },
  { weight: 1, arbitrary: unknownField(3) },
  { weight: 1, arbitrary: fc.constant(group(9, [prefixed(2, Buffer.from([8, 1]))])) }
), { maxLength: 20 }).map(fields => Buffer.concat(fields))

t.test('what protobuf-es writes is read back', async () => {
  const verdict = fc.record({ allow: fc.boolean(), reason: text })
  fc.assert(fc.property(fc.array(verdict, { maxLength: 40 }), verdicts => {
    assert.deepEqual(verdictsIn(response(verdicts)), reference(response(verdicts)))
  }), { numRuns: 500 })
})

t.test('valid responses in every spelling', async () => {
  fc.assert(fc.property(body, body => {
    assert.deepEqual(verdictsIn(body), reference(body))
  }), { numRuns: 1000 })
})

t.test('damaged responses never throw, and none is misread', async t => {
  let accepted = 0
  fc.assert(fc.property(damaged(body), body => {
    const verdicts = verdictsIn(body)
    if (verdicts === undefined) return
    let expected: CheckVerdict[]
    try {
      expected = reference(body)
    } catch {
      // A text of the meta that is not UTF-8, or one of its fields in a wrong type.
      return
    }
    accepted++
    assert.deepEqual(verdicts, expected)
  }), { numRuns: 2000 })
  t.ok(accepted > 50, 'the damage leaves some responses valid')
})

t.test('a response cut anywhere is refused, or is what is left of it', async () => {
  const whole = Buffer.concat([response([{ allow: true }, { reason: 'spam' }]), group(9, [prefixed(2, Buffer.from('x'))])])
  for (let end = 0; end < whole.length; end++) {
    const verdicts = verdictsIn(whole.subarray(0, end))
    if (verdicts !== undefined) assert.deepEqual(verdicts, reference(whole.subarray(0, end)))
  }
})

/** The one verdict of a CheckMessageResponse, as protobuf-es finds it. */
function theirs (body: Uint8Array): CheckVerdict | undefined {
  try {
    const { allow, reason } = fromBinary(CheckMessageResponseSchema, body)
    return { allow, reason }
  } catch {
    return undefined
  }
}

t.test('of one message: what protobuf-es encodes is decoded, whatever else is in it', async t => {
  const text = fc.string({ unit: 'grapheme' })
  fc.assert(fc.property(fc.boolean(), text, text, fc.uint8Array({ maxLength: 40 }), (allow, reason, traceId, rest) => {
    const response = create(CheckMessageResponseSchema, { meta: { traceId }, allow, reason })
    // A field of a later version, number 100.
    const later = Buffer.concat([Buffer.from([0xa2, 0x06, rest.length]), rest])
    const body = Buffer.concat([toBinary(CheckMessageResponseSchema, response), later])
    t.strictSame(decodeVerdict(body), { allow, reason })
  }), { numRuns: 200 })
})

t.test('of one message: any bytes at all are what protobuf-es makes of them, or nothing', async t => {
  const pieces = fc.oneof(fc.uint8Array({ maxLength: 12 }), fc.constantFrom(
    [0x0a, 0x02, 0x0a, 0x00], [0x10, 0x01], [0x10, 0x80, 0x80, 0x01], [0x10, 0x80, 0x00], [0x1a, 0x02, 0x68, 0x69],
    [0x1a, 0x01, 0xff], [0x10, ...Array(10).fill(0xff) as number[], 0x01], [0x12, 0x00], [0x18, 0x01]
  ).map(bytes => Uint8Array.from(bytes)))
  fc.assert(fc.property(fc.array(pieces, { maxLength: 4 }).map(parts => Buffer.concat(parts)), body => {
    const ours = decodeVerdict(body)
    if (ours !== undefined) t.strictSame(ours, theirs(body), body.toString('hex'))
  }), { numRuns: 2000 })
})

t.test('of one message: a body that is none is none', async t => {
  for (const hex of ['ff', '10', '1a05', '1200', '0a0108', '1801']) {
    t.equal(decodeVerdict(Buffer.from(hex, 'hex')), undefined, hex)
  }
  t.strictSame(decodeVerdict(Buffer.alloc(0)), { allow: false, reason: '' })
})
