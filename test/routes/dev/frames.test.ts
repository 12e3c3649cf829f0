import assert from 'node:assert/strict'
import { create, fromBinary, toBinary, type MessageInitShape } from '@bufbuild/protobuf'
import fc from 'fast-check'
import t from 'tap'
import { ClientFrameSchema, ServerFrameSchema } from '../../../lib/gen/mics/message/v1/message_pb.js'
import { CloseCode } from '../../../lib/protocol/close-codes.js'

/*
 * The demo page's own JavaScript, which has no types, against the project's generated code and tables. Inside a
 * property it is node:assert that asserts: fast-check shrinks what throws.
 */

interface Frame {
  case: string
  value: Record<string, unknown>
}
interface Codec {
  encodeClientFrame (frame: Frame): Uint8Array
  decodeClientFrame (bytes: Uint8Array): Frame | undefined
  encodeServerFrame (frame: Frame): Uint8Array
  decodeServerFrame (bytes: Uint8Array): Frame | undefined
}
const page = new URL('../../../routes/dev/page/', import.meta.url)
const frames = await import(new URL('frames.js', page).href) as Codec
const closeCodes = await import(new URL('close-codes.js', page).href) as {
  closeCodes: number[]
  explainClose (code: number): { meaning: string, reconnect: boolean }
}

const text = fc.string({ unit: 'binary' })
const int32 = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })
const uint32 = fc.integer({ min: 0, max: 2 ** 32 - 1 })
const int64 = fc.oneof(
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), fc.constant(0n), fc.constant(1_753_000_000_000n)
)

const message = fc.record({
  tenantId: text,
  userId: text,
  deviceId: text,
  msgId: text,
  msgType: fc.constantFrom(0, 1, 7, -1),
  toUserId: text,
  groupId: text,
  msgBody: fc.uint8Array({ maxLength: 300 }),
  timestampMs: int64,
})
const heartbeat = fc.record({ timestampMs: int64 })
const ack = fc.record({
  msgId: text,
  status: fc.constantFrom(0, 1),
  timestampMs: int64,
  reason: text,
  partialDelivery: fc.boolean(),
  offlineNotifiedUsers: uint32,
  offlineBufferedUsers: uint32,
  offlineSkippedUsers: uint32,
})
const connectAck = fc.record({
  code: int32, tenantId: text, userId: text, deviceId: text, nodeId: text, traceId: text,
})
const clientFrame = fc.oneof(
  fc.record({ case: fc.constant('message' as const), value: message }),
  fc.record({ case: fc.constant('heartbeatPing' as const), value: heartbeat })
)
const serverFrame = fc.oneof(
  fc.record({ case: fc.constant('connectAck' as const), value: connectAck }),
  fc.record({ case: fc.constant('delivery' as const), value: fc.record({ message }) }),
  fc.record({ case: fc.constant('ack' as const), value: ack }),
  fc.record({ case: fc.constant('error' as const), value: fc.record({ code: int32, message: text }) }),
  fc.record({ case: fc.constant('heartbeatPong' as const), value: heartbeat })
)

/** The page keeps an int64 as a Number where it fits, a Buffer is a Uint8Array: neither is a difference. */
function plain (value: unknown): unknown {
  if (value instanceof Uint8Array) return `bytes ${Buffer.from(value).toString('hex')}`
  if (typeof value === 'bigint' || typeof value === 'number') return BigInt(value)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).filter(([key]) => !key.startsWith('$')).map(([key, inner]) => [key, plain(inner)])
  )
}

type ClientPayload = MessageInitShape<typeof ClientFrameSchema>['payload']
type ServerPayload = MessageInitShape<typeof ServerFrameSchema>['payload']

function clientBytes (frame: Frame): Uint8Array {
  return toBinary(ClientFrameSchema, create(ClientFrameSchema, { payload: frame as ClientPayload }))
}

function serverBytes (frame: Frame): Uint8Array {
  return toBinary(ServerFrameSchema, create(ServerFrameSchema, { payload: frame as ServerPayload }))
}

t.test('what the page sends reads the same in protobuf-es', async t => {
  t.doesNotThrow(() => fc.assert(fc.property(clientFrame, frame => {
    const decoded = fromBinary(ClientFrameSchema, frames.encodeClientFrame(frame))
    assert.deepEqual(plain(decoded.payload), plain(frame))
  })))
})

t.test('what protobuf-es sends reads the same on the page', async t => {
  t.doesNotThrow(() => fc.assert(fc.property(serverFrame, frame => {
    assert.deepEqual(plain(frames.decodeServerFrame(serverBytes(frame))), plain(frame))
  })))
})

t.test('the other two directions agree as well, and both encode to the same bytes', async t => {
  t.doesNotThrow(() => fc.assert(fc.property(clientFrame, frame => {
    const bytes = clientBytes(frame)
    assert.deepEqual(plain(frames.decodeClientFrame(bytes)), plain(frame))
    assert.ok(Buffer.from(bytes).equals(frames.encodeClientFrame(frame)))
  })))
  t.doesNotThrow(() => fc.assert(fc.property(serverFrame, frame => {
    const bytes = frames.encodeServerFrame(frame)
    assert.deepEqual(plain(fromBinary(ServerFrameSchema, bytes).payload), plain(frame))
    assert.ok(Buffer.from(bytes).equals(serverBytes(frame)))
  })))
})

t.test('a field that is left out reads as its default', async t => {
  const bytes = frames.encodeClientFrame({ case: 'message', value: { toUserId: 'bob' } })
  t.same(plain(frames.decodeClientFrame(bytes)?.value), plain({
    tenantId: '',
    userId: '',
    deviceId: '',
    msgId: '',
    msgType: 0,
    toUserId: 'bob',
    groupId: '',
    msgBody: new Uint8Array(),
    timestampMs: 0,
  }))
})

t.test('fields and frames of a newer version are skipped', async t => {
  // ack { msg_id: "m", fields 14 to 17 of every wire type there is }
  const ack = Buffer.from('0a016d' + '7001' + '790102030405060708' + '82010178' + '8d0101020304', 'hex')
  const frame = Buffer.concat([Buffer.from([0x1a, ack.length]), ack])
  t.equal(frames.decodeServerFrame(frame)?.value.msgId, 'm')
  t.equal(frames.decodeServerFrame(Buffer.from('4a00', 'hex')), undefined, 'field 9 is a frame of the future')
  t.equal(frames.decodeServerFrame(Buffer.alloc(0)), undefined)
})

t.test('any bytes either read or are refused in words, and a truncated frame is refused', async t => {
  t.doesNotThrow(() => fc.assert(fc.property(fc.uint8Array({ maxLength: 60 }), bytes => {
    try {
      frames.decodeServerFrame(bytes)
    } catch (error) {
      assert.match((error as Error).message, /^(the frame ends in the middle|a number of more than|wire type \d is not)/)
    }
  })))
  t.doesNotThrow(() => fc.assert(fc.property(serverFrame, fc.nat(), (frame, cut) => {
    const bytes = frames.encodeServerFrame(frame)
    const length = 1 + cut % (bytes.length - 1)
    assert.throws(() => frames.decodeServerFrame(bytes.subarray(0, length)), /the frame ends in the middle/)
  })))
})

t.test('the page knows every close code, and comes back only where the contract says so', async t => {
  t.same(closeCodes.closeCodes.sort(), Object.values(CloseCode).sort())
  const stayAway = closeCodes.closeCodes.filter(code => !closeCodes.explainClose(code).reconnect)
  t.same(stayAway, [1000, 4001, 4002, 4003, 4409])
  t.ok(closeCodes.explainClose(1006).reconnect, 'a broken connection is made again')
})
