import assert from 'node:assert/strict'
import type { Writable } from 'node:stream'
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import fc from 'fast-check'
import t from 'tap'
import * as ws from 'ws'
import { MessageRequestSchema, ServerFrameSchema, type ServerFrame } from '../../lib/gen/mics/message/v1/message_pb.js'
import type { Message } from '../../lib/protocol/message.js'
import {
  encodeAck, encodeDelivery, encodeMessageRequest, encodePong, encodeServerFrame, frameOf, type Ack,
} from '../../lib/protocol/server-frame.js'
import { body, int32, int64, text, uint32, utf16 } from './wire-arbitraries.js'

// Exported by ws, but not by its types.
const { Receiver } = ws as unknown as { Receiver: new (options: object) => Writable }

/** What a WebSocket client gets: the payloads of all binary messages in these bytes. */
async function received (frames: Buffer): Promise<Buffer[]> {
  const payloads: Buffer[] = []
  const receiver = new Receiver({ isServer: false })
  receiver.on('message', (data: Buffer, isBinary: boolean) => {
    assert.ok(isBinary)
    payloads.push(Buffer.from(data))
  })
  await new Promise<void>((resolve, reject) => {
    receiver.on('error', reject)
    receiver.on('conclude', () => reject(new Error('a close frame')))
    receiver.end(frames, resolve)
  })
  return payloads
}

/** The payload, read after RFC 6455, 5.2, with the shortest form of the length and nothing after it. */
function payloadOf (frame: Buffer): Buffer {
  assert.equal(frame[0], 0x82, 'FIN, no extension bits, binary')
  assert.equal(frame[1] & 0x80, 0, 'not masked')
  let length = frame[1]
  let header = 2
  if (length === 126) {
    length = frame.readUInt16BE(2)
    header = 4
    assert.ok(length > 125)
  } else if (length === 127) {
    length = Number(frame.readBigUInt64BE(2))
    header = 10
    assert.ok(length > 65535)
  }
  assert.equal(frame.length, header + length)
  return frame.subarray(header)
}

type Payload = ServerFrame['payload']

function reference (payload: unknown): Buffer {
  return Buffer.from(toBinary(ServerFrameSchema, create(ServerFrameSchema, { payload: payload as Payload })))
}

function sameBytes (frame: Buffer, payload: unknown): void {
  const ours = payloadOf(frame)
  const theirs = reference(payload)
  if (!ours.equals(theirs)) assert.equal(ours.toString('hex'), theirs.toString('hex'))
}

const anyText = fc.oneof(text, utf16)

const anyMessage: fc.Arbitrary<Message> = fc.record({
  tenantId: anyText,
  userId: anyText,
  deviceId: anyText,
  msgId: anyText,
  msgType: int32,
  toUserId: anyText,
  groupId: anyText,
  msgBody: body,
  timestampMs: int64,
})

const anyAck: fc.Arbitrary<Ack> = fc.record({
  msgId: anyText,
  status: fc.oneof(fc.constantFrom(0, 1), int32),
  timestampMs: fc.oneof(fc.constant(0), fc.maxSafeInteger()),
  reason: anyText,
  partialDelivery: fc.boolean(),
  offlineNotifiedUsers: uint32,
  offlineBufferedUsers: uint32,
  offlineSkippedUsers: uint32,
})

const message: Message = {
  tenantId: 'acme',
  userId: 'ann',
  deviceId: 'phone',
  msgId: 'm1',
  msgType: 1,
  toUserId: '',
  groupId: 'g',
  msgBody: Buffer.from('hi'),
  timestampMs: 1_760_000_000_123n,
}

const noAck: Ack = {
  msgId: '',
  status: 0,
  timestampMs: 0,
  reason: '',
  partialDelivery: false,
  offlineNotifiedUsers: 0,
  offlineBufferedUsers: 0,
  offlineSkippedUsers: 0,
}

function delivery (message: Message): Payload {
  const value = { message: create(MessageRequestSchema, message) }
  return { case: 'delivery', value } as Payload
}

t.test('a WebSocket client gets every frame as one binary message', async (t) => {
  const ack: Ack = { ...noAck, msgId: 'm1', status: 1, timestampMs: 5, reason: 'delivery failed', partialDelivery: true }
  const hello = create(ServerFrameSchema, {
    payload: { case: 'connectAck', value: { code: 1000, nodeId: 'n1' } as never },
  })
  const payloads = await received(Buffer.concat([
    encodeServerFrame(hello), encodeDelivery(message), encodeAck(ack), encodePong(7),
  ]))
  const frames = payloads.map((payload) => fromBinary(ServerFrameSchema, payload).payload)
  t.strictSame(frames.map((frame) => frame.case), ['connectAck', 'delivery', 'ack', 'heartbeatPong'])
  t.match(frames, [
    { value: { code: 1000, nodeId: 'n1' } },
    { value: { message: { userId: 'ann', groupId: 'g', timestampMs: message.timestampMs } } },
    { value: { ...ack, timestampMs: 5n } },
    { value: { timestampMs: 7n } },
  ])
})

t.test('payloads of every length keep their bytes, with the shortest form of the length', async (t) => {
  const lengths = [0, 1, 124, 125, 126, 127, 128, 4096, 65534, 65535, 65536, 65537, 1_114_112]
  const payloads = lengths.map((length) => Buffer.alloc(length, `${length},`))
  const frames = payloads.map(frameOf)
  t.strictSame(await received(Buffer.concat(frames)), payloads)
  frames.forEach((frame, i) => t.ok(payloadOf(frame).equals(payloads[i]), `${lengths[i]} bytes`))
})

t.test('a delivery has each WebSocket length form where it should', async () => {
  for (const around of [126, 65536]) {
    for (let length = around - 60; length < around + 10; length++) {
      const sized = { ...message, msgBody: Buffer.alloc(length, 1) }
      sameBytes(encodeDelivery(sized), delivery(sized))
    }
  }
})

t.test('deliveries are the bytes that protobuf-es writes', async () => {
  fc.assert(fc.property(anyMessage, (message) => sameBytes(encodeDelivery(message), delivery(message))),
    { numRuns: 1000 })
})

t.test('acks are the bytes that protobuf-es writes', async () => {
  fc.assert(fc.property(anyAck, (ack) => {
    sameBytes(encodeAck(ack), { case: 'ack', value: { ...ack, timestampMs: BigInt(ack.timestampMs) } })
  }), { numRuns: 2000 })
})

t.test('pongs are the bytes that protobuf-es writes', async () => {
  fc.assert(fc.property(fc.oneof(fc.constant(0), fc.maxSafeInteger(), fc.maxSafeNat()), (timestampMs) => {
    sameBytes(encodePong(timestampMs), { case: 'heartbeatPong', value: { timestampMs: BigInt(timestampMs) } })
  }), { numRuns: 1000 })
})

t.test('a bare MessageRequest is the bytes that protobuf-es writes', async () => {
  fc.assert(fc.property(anyMessage, (message) => {
    const theirs = Buffer.from(toBinary(MessageRequestSchema, create(MessageRequestSchema, message)))
    assert.equal(encodeMessageRequest(message).toString('hex'), theirs.toString('hex'))
  }), { numRuns: 300 })
})

t.test('values that are all defaults still say which payload it is', async (t) => {
  const empty = {
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
  t.equal(encodeDelivery(empty).toString('hex'), '820412020a00')
  t.equal(encodeAck(noAck).toString('hex'), '82021a00')
  t.equal(encodePong(0).toString('hex'), '82022a00')
})

t.test('strings of every length around the fast paths, in one to four bytes a character', async () => {
  for (const unit of ['a', 'é', '€', '😀', '\ud800', '\udc00']) {
    for (let length = 0; length < 140; length++) {
      // Also with ASCII before it, where a fast path has begun.
      for (const reason of [unit.repeat(length), 'x'.repeat(length) + unit]) {
        sameBytes(encodeAck({ ...noAck, reason }), { case: 'ack', value: { reason } })
      }
    }
  }
})

t.test('a lone surrogate becomes U+FFFD', async (t) => {
  const frame = fromBinary(ServerFrameSchema, payloadOf(encodeAck({ ...noAck, reason: 'no \ud83d no' })))
  t.match(frame.payload.value, { reason: 'no \uFFFD no' })
})

t.test('a frame is its own: the message may change and other frames be made', async (t) => {
  const msgBody = Buffer.from('hi')
  const frame = encodeDelivery({ ...message, msgBody })
  const before = frame.toString('hex')
  msgBody.fill(0)
  for (let i = 0; i < 1000; i++) encodePong(i)
  t.equal(frame.toString('hex'), before)
})
