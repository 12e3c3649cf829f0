import assert from 'node:assert/strict'
import { create, fromBinary, toBinary, type DescMessage } from '@bufbuild/protobuf'
import { configureTextEncoding } from '@bufbuild/protobuf/wire'
import fc from 'fast-check'
import t from 'tap'
import { ClientFrameSchema, ServerFrameSchema } from '../../../lib/gen/mics/message/v1/message_pb.js'
import {
  decodeClientFrame, decodeServerFrame, encodeClientFrame, encodeServerFrame, type ClientFrame, type ServerFrame,
} from '../../../sdk/client/src/frames.js'
import {
  body, damaged, embedded, group, int32, int64, prefixed, tagged, text, uint32, unknownField, utf16, varint,
} from '../../protocol/wire-arbitraries.js'

// Left to itself protobuf-es takes U+FEFF off the front of a text. Other implementations keep it, and so do we.
const decoder = new TextDecoder('utf-8', { ignoreBOM: true })
configureTextEncoding({
  encodeUtf8: text => new TextEncoder().encode(text),
  decodeUtf8: bytes => decoder.decode(bytes),
  checkUtf8: text => !/\p{Surrogate}/u.test(text),
})

type Frame = ClientFrame | ServerFrame

const anyText = fc.oneof(text, utf16)
const time = fc.oneof(fc.constant(0), fc.maxSafeInteger())

const message = fc.record({
  tenantId: anyText,
  userId: anyText,
  deviceId: anyText,
  msgId: anyText,
  msgType: int32,
  toUserId: anyText,
  groupId: anyText,
  msgBody: body,
  timestampMs: time,
})
const heartbeat = fc.record({ timestampMs: time })
const ack = fc.record({
  msgId: anyText,
  status: fc.oneof(fc.constantFrom(0, 1), int32),
  timestampMs: time,
  reason: anyText,
  partialDelivery: fc.boolean(),
  offlineNotifiedUsers: uint32,
  offlineBufferedUsers: uint32,
  offlineSkippedUsers: uint32,
})
const connectAck = fc.record({
  code: int32, tenantId: anyText, userId: anyText, deviceId: anyText, nodeId: anyText, traceId: anyText,
})

const framesOf = (values: Record<string, fc.Arbitrary<unknown>>): fc.Arbitrary<Frame> =>
  fc.oneof(...Object.entries(values).map(([name, value]) => value.map(value => ({ case: name, value }) as Frame)))

const clientFrame = framesOf({ message, heartbeatPing: heartbeat })
const serverFrame = framesOf({
  connectAck,
  delivery: fc.oneof(fc.record({ message }), fc.constant({})),
  ack,
  error: fc.record({ code: int32, message: anyText }),
  heartbeatPong: heartbeat,
})

interface Direction {
  name: string
  schema: DescMessage
  frames: fc.Arbitrary<Frame>
  encode: (frame: Frame) => Uint8Array
  decode: (bytes: Uint8Array) => Frame | undefined
}

const directions = [
  { name: 'client', schema: ClientFrameSchema, frames: clientFrame, encode: encodeClientFrame, decode: decodeClientFrame },
  { name: 'server', schema: ServerFrameSchema, frames: serverFrame, encode: encodeServerFrame, decode: decodeServerFrame },
] as Direction[]

const SAFE = BigInt(Number.MAX_SAFE_INTEGER)

/** A frame of protobuf-es in our shape: times as Numbers, the nearest safe ones. */
function ours (schema: DescMessage, bytes: Uint8Array): Frame | undefined {
  const plain = (value: unknown): unknown => {
    if (typeof value === 'bigint') return Number(value > SAFE ? SAFE : value < -SAFE ? -SAFE : value)
    if (value instanceof Uint8Array) return new Uint8Array(value)
    if (typeof value !== 'object' || value === null) return value
    return Object.fromEntries(Object.entries(value).filter(([key]) => !key.startsWith('$')).map(([key, value]) => [key, plain(value)]))
  }
  const { payload } = fromBinary(schema, bytes) as unknown as { payload: { case?: string, value?: unknown } }
  return payload.case === undefined ? undefined : plain(payload) as Frame
}

/** A frame in protobuf-es's shape. */
function theirs (schema: DescMessage, frame: Frame): Uint8Array {
  const bigTimes = (value: object): object => Object.fromEntries(Object.entries(value).map(([key, value]) => [
    key,
    key === 'timestampMs' ? BigInt(value as number) : key === 'message' && typeof value === 'object' ? bigTimes(value as object) : value,
  ]))
  const payload = { case: frame.case, value: bigTimes(frame.value) }
  return toBinary(schema, create(schema, { payload } as never))
}

for (const { name, schema, frames, encode, decode } of directions) {
  t.test(`${name} frames are the bytes that protobuf-es writes`, async () => {
    fc.assert(fc.property(frames, frame => {
      assert.equal(Buffer.from(encode(frame)).toString('hex'), Buffer.from(theirs(schema, frame)).toString('hex'))
    }), { numRuns: 1000 })
  })

  t.test(`${name} frames are read as protobuf-es reads them, from the middle of a larger buffer too`, async () => {
    fc.assert(fc.property(frames, frame => {
      const bytes = theirs(schema, frame)
      assert.deepEqual(decode(embedded(bytes)), ours(schema, bytes))
    }), { numRuns: 1000 })
  })

  t.test(`in ${name} frames, fields of later versions are skipped, in front, between and behind`, async () => {
    const number = 10
    fc.assert(fc.property(frames, unknownField(number), unknownField(number), (frame, before, after) => {
      const bytes = Buffer.concat([before, encode(frame), after])
      assert.deepEqual(decode(bytes), decode(encode(frame)))
      assert.deepEqual(decode(bytes), ours(schema, bytes))
    }), { numRuns: 500 })
    fc.assert(fc.property(unknownField(number), unknown => {
      assert.equal(decode(unknown), undefined)
    }))
  })

  t.test(`a ${name} frame whose parts come in any order and more than once is merged as protobuf-es does`, async () => {
    fc.assert(fc.property(fc.array(frames, { minLength: 2, maxLength: 4 }), frames => {
      const bytes = Buffer.concat(frames.map(encode))
      assert.deepEqual(decode(bytes), ours(schema, bytes))
    }), { numRuns: 500 })
  })

  t.test(`a ${name} frame that was cut is an error or a frame, never another one than protobuf-es reads`, async () => {
    fc.assert(fc.property(frames, fc.nat(), (frame, at) => {
      const bytes = encode(frame)
      same(schema, decode, bytes.subarray(0, at % (bytes.length + 1)))
    }), { numRuns: 500 })
  })

  t.test(`a damaged ${name} frame and garbage are read or refused with an Error, and nothing else comes of them`, async () => {
    fc.assert(fc.property(damaged(frames.map(encode)), bytes => { attempt(decode, bytes) }), { numRuns: 2000 })
    fc.assert(fc.property(fc.uint8Array({ maxLength: 60 }), bytes => { attempt(decode, bytes) }), { numRuns: 2000 })
  })
}

function attempt (decode: (bytes: Uint8Array) => Frame | undefined, bytes: Uint8Array): Frame | Error | undefined {
  try {
    return decode(bytes)
  } catch (error) {
    assert.ok(error instanceof Error && error.constructor === Error, String(error))
    return error
  }
}

function same (schema: DescMessage, decode: (bytes: Uint8Array) => Frame | undefined, bytes: Uint8Array): void {
  const read = attempt(decode, bytes)
  if (read instanceof Error) assert.throws(() => ours(schema, bytes))
  else assert.deepEqual(read, ours(schema, bytes))
}

const pong = (value: Uint8Array): Buffer => Buffer.from(prefixed(5, value))
const timeOf = (value: bigint): number => {
  const frame = decodeServerFrame(pong(tagged(1, 0, varint(value))))
  if (frame?.case !== 'heartbeatPong') throw new Error('not a pong')
  return frame.value.timestampMs
}

t.test('a time past the safe integers becomes the nearest of them', async t => {
  t.equal(timeOf(2n ** 63n - 1n), Number.MAX_SAFE_INTEGER)
  t.equal(timeOf(-(2n ** 63n)), Number.MIN_SAFE_INTEGER)
  fc.assert(fc.property(int64, value => {
    assert.equal(timeOf(value), Number(value > SAFE ? SAFE : value < -SAFE ? -SAFE : value))
  }), { numRuns: 1000 })
})

t.test('text that is not UTF-8 gets U+FFFD, and U+FEFF stays', async t => {
  const error = (message: Uint8Array): unknown => decodeServerFrame(prefixed(4, prefixed(2, message)))?.value
  t.match(error(Buffer.from([0x61, 0xff, 0x62])), { message: 'a\uFFFDb' })
  t.match(error(Buffer.from('\uFEFFa')), { message: '\uFEFFa' })
})

t.test('a number that its field cannot hold is refused by name', async t => {
  const ping = (timestampMs: number): Uint8Array => encodeClientFrame({ case: 'heartbeatPing', value: { timestampMs } })
  for (const wrong of [1.5, NaN, Infinity, 2 ** 53]) {
    t.throws(() => ping(wrong), { name: 'RangeError', message: /timestampMs must be a whole number from -9007199254740991 to / })
  }
  const error = (code: number): Uint8Array => encodeServerFrame({ case: 'error', value: { code, message: '' } })
  t.throws(() => error(2 ** 31), /code must be a whole number/)
})

t.test('a value of the wrong type is refused by name', async t => {
  const send = (fields: object): Uint8Array => encodeClientFrame({ case: 'message', value: fields as never })
  t.throws(() => send({ msgBody: 'text' }), { name: 'TypeError', message: 'msgBody must be a Uint8Array' })
  t.throws(() => send({ msgId: 7 }), { name: 'TypeError', message: 'msgId must be a string' })
  t.throws(() => send({ timestampMs: 'soon' }), { name: 'RangeError', message: /timestampMs/ })
})

t.test('what is left out is at its default', async t => {
  const bytes = encodeClientFrame({ case: 'message', value: { toUserId: 'bob' } as never })
  t.strictSame(decodeClientFrame(bytes)?.value, {
    tenantId: '', userId: '', deviceId: '', msgId: '', msgType: 0, toUserId: 'bob', groupId: '', msgBody: new Uint8Array(), timestampMs: 0,
  })
})

t.test('a field with another wire type than its own is skipped', async t => {
  const bytes = pong(Buffer.concat([tagged(1, 0, varint(7n)), prefixed(1, Buffer.from('x')), tagged(1, 1, Buffer.alloc(8))]))
  t.strictSame(decodeServerFrame(bytes), { case: 'heartbeatPong', value: { timestampMs: 7 } })
})

t.test('a known field inside an unknown group is not taken for the message\'s own', async t => {
  const bytes = pong(group(9, [tagged(1, 0, varint(7n)), group(1, [])]))
  t.strictSame(decodeServerFrame(bytes), { case: 'heartbeatPong', value: { timestampMs: 0 } })
})

t.test('a body is a copy: neither the frame nor a buffer around it is kept', async t => {
  const bytes = Buffer.from(encodeClientFrame({ case: 'message', value: { msgBody: Buffer.from('hi') } as never }))
  const frame = decodeClientFrame(bytes)
  if (frame?.case !== 'message') throw new Error('not a message')
  bytes.fill(0)
  t.equal(Buffer.from(frame.value.msgBody).toString(), 'hi')
  t.equal(frame.value.msgBody.buffer.byteLength, 2)
})

for (const [what, bytes] of Object.entries<Uint8Array>({
  'a number that never ends': Buffer.alloc(100, 0xff),
  'a number of eleven bytes': Buffer.from('08ffffffffffffffffffff01', 'hex'),
  'a length past the end': Buffer.from('0a05', 'hex'),
  'a length of 4 GiB': Buffer.from('0affffffff0f', 'hex'),
  'a length of 2^64 less one': Buffer.from('0affffffffffffffffff01', 'hex'),
  'wire type 6': Buffer.from('0e', 'hex'),
  'field 0': Buffer.from('00', 'hex'),
  'a field number past 2^29': Buffer.from('88808080800107', 'hex'),
  'a group that does not end': Buffer.from('4b', 'hex'),
  'a group that ends without a beginning': Buffer.from('4c', 'hex'),
  'a group that another one ends': Buffer.from('4b54', 'hex'),
  'a hundred thousand groups in one another': Buffer.alloc(100_000, 0x4b),
  text: Buffer.from('hello'),
})) {
  t.test(`${what} is no frame`, async t => {
    t.throws(() => decodeServerFrame(bytes), Error)
    t.throws(() => decodeClientFrame(bytes), Error)
  })
}

t.test('no bytes are a frame of no known kind', async t => {
  t.equal(decodeServerFrame(new Uint8Array()), undefined)
  t.equal(decodeClientFrame(new Uint8Array()), undefined)
})
