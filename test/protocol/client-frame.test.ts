import assert from 'node:assert/strict'
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire'
import fc from 'fast-check'
import t from 'tap'
import { ClientFrameSchema, type ClientFrame } from '../../lib/gen/mics/message/v1/message_pb.js'
import { decodeClientFrame, HeartbeatPing } from '../../lib/protocol/client-frame.js'
import type { Message } from '../../lib/protocol/message.js'
import {
  anyVarint, body, damaged, embedded, group, int32, int64, overlong, prefixed, tagged, text, unknownField, varint,
} from './wire-arbitraries.js'

const MESSAGE = 1
const PING = 2

const empty: Message = {
  tenantId: '',
  userId: '',
  deviceId: '',
  msgId: '',
  msgType: 0,
  toUserId: '',
  groupId: '',
  msgBody: new Uint8Array(),
  timestampMs: 0n,
}

/** Either decoder's answer as plain values that compare. */
function plain (decoded: Message | HeartbeatPing | null): unknown {
  if (decoded === null) return null
  if (decoded instanceof HeartbeatPing) return { ping: decoded.timestampMs }
  // When it came and what is noted of it is no part of what was sent.
  const { receivedAt, span, trace, traceTicket, msgBody, ...fields } = decoded
  return { ...fields, msgBody: Buffer.from(msgBody).toString('latin1') }
}

function plainFrame ({ payload }: ClientFrame): unknown {
  switch (payload.case) {
    case 'message': {
      const { $typeName, $unknown, msgBody, ...rest } = payload.value
      return { ...rest, msgBody: Buffer.from(msgBody).toString('latin1') }
    }
    case 'heartbeatPing':
      return { ping: payload.value.timestampMs }
    default:
      return null
  }
}

function sameAnswer (frame: Uint8Array): void {
  const theirs = fromBinary(ClientFrameSchema, frame)
  assert.deepEqual(plain(decodeClientFrame(embedded(frame))), plainFrame(theirs))
}

function bytes (...parts: Array<number | Uint8Array>): Buffer {
  return Buffer.concat(parts.map((part) => typeof part === 'number' ? Buffer.from([part]) : part))
}

const stringField = fc.tuple(fc.constantFrom(1, 2, 3, 4, 6, 7), text, fc.constantFrom(0, 0, 0, 1, 8))
  .map(([no, value, padding]) => overlong(no, Buffer.from(value), padding))
const enumField = fc.oneof(int32.map((n) => varint(BigInt(n))), anyVarint)
  .map((value) => tagged(5, WireType.Varint, value))
const bodyField = body.map((value) => prefixed(8, value))
const timestampField = anyVarint.map((value) => tagged(9, WireType.Varint, value))
const messageField = fc.oneof(
  { weight: 5, arbitrary: stringField },
  { weight: 1, arbitrary: enumField },
  { weight: 1, arbitrary: bodyField },
  { weight: 1, arbitrary: timestampField },
  { weight: 2, arbitrary: unknownField(10) }
)
const pingField = fc.oneof(
  anyVarint.map((value) => tagged(1, WireType.Varint, value)),
  unknownField(2)
)

// Any order, any repetition: split submessages, the other member of the oneof in between, fields twice.
const messagePart = fc.array(messageField, { maxLength: 12 }).map((fields) => prefixed(MESSAGE, Buffer.concat(fields)))
const pingPart = fc.array(pingField, { maxLength: 3 }).map((fields) => prefixed(PING, Buffer.concat(fields)))
const payload = fc.oneof({ weight: 4, arbitrary: messagePart }, { weight: 1, arbitrary: pingPart })
const validFrame: fc.Arbitrary<Uint8Array> = fc.tuple(
  fc.array(fc.oneof({ weight: 3, arbitrary: payload }, { weight: 1, arbitrary: unknownField(3) }), { maxLength: 3 }),
  payload,
  fc.array(unknownField(3), { maxLength: 1 })
).map(([before, one, after]) => Buffer.concat([...before, one, ...after]))

t.test('a message comes out with all its fields', async (t) => {
  const message: Message = {
    tenantId: 'acme',
    userId: 'ann',
    deviceId: 'phone',
    msgId: '0195d2c4-7a1e-7c3b-9d55-2f6e8a1b4c70',
    msgType: 1,
    toUserId: 'bob',
    groupId: 'Gruppe-ä-群-😀',
    msgBody: Buffer.from([0, 1, 2, 255]),
    timestampMs: 1_760_000_000_123n,
  }
  const frame = toBinary(ClientFrameSchema, create(ClientFrameSchema, { payload: { case: 'message', value: message } }))
  t.strictSame(plain(decodeClientFrame(Buffer.from(frame))), plain(message))
})

t.test('a message without fields is a message with defaults', async (t) => {
  t.strictSame(plain(decodeClientFrame(bytes(0x0a, 0))), plain(empty))
})

t.test('a heartbeat ping is told from a message by its class', async (t) => {
  const ping = decodeClientFrame(bytes(0x12, 2, 0x08, 5))
  t.ok(ping instanceof HeartbeatPing)
  t.strictSame(plain(ping), { ping: 5n })
  t.strictSame(plain(decodeClientFrame(bytes(0x12, 0))), { ping: 0n })
})

t.test('the body is a view into the frame, not a copy', async (t) => {
  const frame = bytes(0x0a, 5, 0x42, 3, 7, 8, 9)
  const { msgBody } = decodeClientFrame(frame) as Message
  frame[5] = 42
  t.strictSame([...msgBody], [7, 42, 9])
})

t.test('a message does not share its state with the next one', async (t) => {
  const first = decodeClientFrame(bytes(0x0a, 0)) as Message
  first.userId = 'ann'
  t.strictSame(plain(decodeClientFrame(bytes(0x0a, 0))), plain(empty))
})

t.test('a leading U+FEFF belongs to the id, here and in protobuf-es', async (t) => {
  const frame = prefixed(MESSAGE, prefixed(6, Buffer.from('\uFEFFbob')))
  t.equal((decodeClientFrame(Buffer.from(frame)) as Message).toUserId, '\uFEFFbob')
  sameAnswer(frame)
})

t.test('valid frames in every spelling decode as with protobuf-es', async () => {
  fc.assert(fc.property(validFrame, sameAnswer), { numRuns: 1000 })
})

t.test('what protobuf-es encodes decodes to the same values', async () => {
  const message = fc.record({
    tenantId: text,
    userId: text,
    deviceId: text,
    msgId: text,
    msgType: int32,
    toUserId: text,
    groupId: text,
    msgBody: body,
    timestampMs: int64,
  })
  fc.assert(fc.property(message, (message) => {
    const frame = toBinary(ClientFrameSchema, create(ClientFrameSchema, {
      payload: { case: 'message', value: { ...message, msgBody: Uint8Array.from(message.msgBody) } },
    }))
    assert.deepEqual(plain(decodeClientFrame(embedded(frame))), plain(message))
  }), { numRuns: 300 })
})

t.test('groups nest as deep as in protobuf-es, and no deeper', async (t) => {
  const nested = (depth: number) => Buffer.concat([
    Buffer.alloc(depth, tagged(15, WireType.StartGroup, new Uint8Array())),
    Buffer.alloc(depth, tagged(15, WireType.EndGroup, new Uint8Array())),
  ])
  const beside = (depth: number) => bytes(0x0a, 0, nested(depth))
  const inside = (depth: number) => Buffer.from(prefixed(MESSAGE, nested(depth)))
  sameAnswer(beside(99))
  sameAnswer(inside(98))
  for (const frame of [beside(100), inside(99), inside(100_000)]) {
    t.throws(() => fromBinary(ClientFrameSchema, frame))
    t.equal(decodeClientFrame(frame), null)
  }
})

t.test('not a ClientFrame', async (t) => {
  const eleven = bytes(...new Array<number>(10).fill(0x80), 0)
  const cases: Record<string, Uint8Array> = {
    'nothing at all': bytes(),
    'only unknown fields': tagged(3, WireType.Varint, varint(1n)),
    text: Buffer.from('{"hello":"world"}'),
    'field number 0': bytes(0x0a, 0, 0x00, 0x01),
    'field number 0 in a message': bytes(0x0a, 2, 0x00, 0x01),
    'field number 0 in a group': bytes(0x0a, 0, 0x1b, 0x00, 0x01, 0x1c),
    'wire type 6': bytes(0x0a, 0, 0x1e),
    'wire type 7': bytes(0x0a, 0, 0x1f),
    'a message as a varint': bytes(0x08, 1),
    'a ping as a fixed64': bytes(0x11, 0, 0, 0, 0, 0, 0, 0, 0),
    'a string as a varint': bytes(0x0a, 2, 0x08, 1),
    'an enum as bytes': bytes(0x0a, 3, 0x2a, 1, 1),
    'a body as a group': bytes(0x0a, 2, 0x43, 0x44),
    'a timestamp as a fixed64': bytes(0x0a, 9, 0x49, 1, 2, 3, 4, 5, 6, 7, 8),
    'a ping timestamp as bytes': bytes(0x12, 2, 0x0a, 0),
    'invalid UTF-8, short': bytes(0x0a, 3, 0x0a, 1, 0xff),
    'invalid UTF-8, overlong slash': bytes(0x0a, 4, 0x0a, 2, 0xc0, 0xaf),
    'invalid UTF-8, surrogate': bytes(0x0a, 5, 0x0a, 3, 0xed, 0xa0, 0x80),
    'invalid UTF-8, long': prefixed(MESSAGE, prefixed(1, Buffer.alloc(40, 0xff))),
    'invalid UTF-8, very long': prefixed(MESSAGE, prefixed(1, Buffer.alloc(4000, 0xff))),
    'invalid UTF-8 that a later value replaces': bytes(0x0a, 6, 0x0a, 1, 0xff, 0x0a, 1, 0x61),
    'a message that ends early': bytes(0x0a, 5, 0x0a, 1, 0x61),
    'a string that ends after its message': bytes(0x0a, 2, 0x0a, 2, 0x12, 0),
    'a string that ends after the frame': bytes(0x0a, 3, 0x0a, 9, 0x61),
    'a varint that ends after its message': bytes(0x0a, 2, 0x28, 0x80, 0x80, 0x01),
    'a group that ends after its message': bytes(0x0a, 1, 0xa3, 0x01, 0xa4, 0x01),
    'a group without an end': bytes(0x0a, 0, 0x1b),
    'a group with the end of another': bytes(0x0a, 0, 0x1b, 0x24),
    'the end of a group without its start': bytes(0x0a, 0, 0x1c),
    'a skipped varint of eleven bytes': bytes(0x0a, 0, 0x18, eleven),
    'an enum of eleven bytes': prefixed(MESSAGE, bytes(0x28, eleven)),
    'a timestamp of eleven bytes': prefixed(MESSAGE, bytes(0x48, eleven)),
    'a length of eleven bytes': bytes(0x0a, eleven),
    'a tag of more than 32 bits': bytes(0x0a, 0, 0x98, 0x80, 0x80, 0x80, 0x10, 0x01),
    'a tag of six bytes': bytes(0x0a, 0, 0x98, 0x80, 0x80, 0x80, 0x80, 0x00, 0x01),
    'a truncated fixed32': bytes(0x0a, 0, 0x1d, 1, 2, 3),
    'a truncated fixed64': bytes(0x0a, 0, 0x19, 1, 2, 3, 4, 5, 6, 7),
  }
  // 2 ** 32 and 2 ** 32 + 1 are the 0 and 1 that would fit, for a decoder that drops the upper bits.
  for (const length of [2n ** 31n - 1n, 2n ** 31n, 2n ** 32n, 2n ** 32n + 1n, 2n ** 63n, 2n ** 64n - 1n]) {
    cases[`a message of ${length} bytes`] = bytes(0x0a, varint(length), 0)
    cases[`a string of ${length} bytes`] = prefixed(MESSAGE, bytes(0x0a, varint(length), 0))
    cases[`a body of ${length} bytes`] = prefixed(MESSAGE, bytes(0x42, varint(length), 0))
    cases[`an unknown field of ${length} bytes`] = bytes(0x0a, 0, 0x1a, varint(length), 0)
  }
  for (let length = 1; length < 20; length++) {
    for (let at = 0; at < length; at++) {
      const id = Buffer.alloc(length, 'a')
      id[at] = 0xff
      cases[`invalid UTF-8, byte ${at} of ${length}`] = prefixed(MESSAGE, prefixed(6, id))
    }
  }
  for (const [name, frame] of Object.entries(cases)) t.equal(decodeClientFrame(embedded(frame)), null, name)
})

t.test('a valid frame cut anywhere is refused, or is what protobuf-es makes of it', async () => {
  const message = new BinaryWriter()
    .raw(prefixed(1, Buffer.from('acme')))
    .raw(prefixed(4, Buffer.from('0195d2c4-7a1e-7c3b-9d55-2f6e8a1b4c70')))
    .raw(prefixed(6, Buffer.from('böb')))
    .raw(prefixed(8, Buffer.alloc(20, 1)))
    .raw(tagged(9, WireType.Varint, varint(-1n)))
    .raw(group(300, [tagged(77, WireType.Bit64, Buffer.alloc(8)), tagged(5000, WireType.Bit32, Buffer.alloc(4))]))
    .finish()
  const ping = tagged(1, WireType.Varint, varint(2n ** 40n))
  const frame = Buffer.concat([prefixed(PING, ping), prefixed(MESSAGE, message)])
  for (let end = 0; end < frame.length; end++) accepts(frame.subarray(0, end))
  for (let end = 0; end < message.length; end++) accepts(prefixed(MESSAGE, message.subarray(0, end)))
})

/** Never throws; what it accepts, protobuf-es accepts too and understands alike. */
function accepts (frame: Uint8Array): boolean {
  const surrounded = embedded(frame)
  const decoded = decodeClientFrame(surrounded)
  if (decoded === null) return false
  if (!(decoded instanceof HeartbeatPing) && decoded.msgBody.length > 0) {
    const { byteOffset, byteLength } = decoded.msgBody
    const start = byteOffset - surrounded.byteOffset
    assert.ok(start >= 0 && start + byteLength <= surrounded.byteLength, 'the body lies within the frame')
  }
  sameAnswer(frame)
  return true
}

t.test('damaged frames never throw, and none is misread', async (t) => {
  let accepted = 0
  fc.assert(fc.property(damaged(validFrame), (frame) => {
    if (accepts(frame)) accepted++
  }), { numRuns: 2500 })
  t.ok(accepted > 100, 'the damage leaves some frames valid')
})

t.test('random bytes never throw, and none is misread', async () => {
  // Small numbers are the likelier tags and lengths.
  const byte = fc.oneof(fc.integer({ min: 0, max: 255 }), fc.integer({ min: 0, max: 12 }),
    fc.constantFrom(0x0a, 0x12, 0x1a, 0x1b, 0x1c, 0x22, 0x28, 0x42, 0x48, 0x80, 0xff))
  const soup = fc.array(byte, { maxLength: 40 }).map((values) => Uint8Array.from(values))
  const frame = fc.oneof(
    soup,
    soup.map((value) => prefixed(MESSAGE, value)),
    soup.map((value) => prefixed(PING, value))
  )
  fc.assert(fc.property(frame, (frame) => { accepts(frame) }), { numRuns: 8000 })
})
