import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { WireType } from '@bufbuild/protobuf/wire'
import fc from 'fast-check'
import t from 'tap'
import { EventType, MqEventSchema } from '../../lib/gen/mics/hook/v1/hook_pb.js'
import { encodeEvent, signEvent, verifyEvent } from '../../lib/mq/encode-event.js'
import type { MqEvent } from '../../lib/mq/mq-event.js'
import { body, damaged, int32, prefixed, tagged, text, unknownField, utf16 } from '../protocol/wire-arbitraries.js'

const anyText = fc.oneof(text, utf16, fc.constant(''))

const anyEvent: fc.Arbitrary<MqEvent> = fc.record({
  tenantId: anyText,
  type: fc.oneof(fc.nat(4), int32) as fc.Arbitrary<EventType>,
  msgId: anyText,
  userId: anyText,
  deviceId: anyText,
  toUserId: anyText,
  groupId: anyText,
  data: body,
  timestampMs: fc.oneof(
    fc.integer({ min: 1_600_000_000_000, max: 2_000_000_000_000 }), fc.constant(0), fc.maxSafeInteger()),
  traceId: anyText,
  secret: anyText,
  key: anyText,
})

const event: MqEvent = {
  tenantId: 'acme',
  type: EventType.SINGLE_CHAT_MSG,
  msgId: 'm1',
  userId: 'ann',
  deviceId: 'phone',
  toUserId: 'bob',
  groupId: '',
  data: Buffer.from('data'),
  timestampMs: 1_700_000_000_000,
  traceId: '0af7651916cd43dd8448eb211c80319c',
  secret: 's3cret',
  key: 'ann:bob',
}

/** The bytes of an event as they are published. */
function published (event: MqEvent, nodeId = 'node-1'): Buffer {
  const encoded = encodeEvent(event, nodeId)
  signEvent(encoded)
  return encoded.value
}

/** What the contract says, by way of protobuf-es. */
function expected ({ type, data, timestampMs, ...event }: MqEvent, nodeId: string): Buffer {
  const message = create(MqEventSchema, {
    ...event, eventType: type, eventData: data, timestamp: BigInt(timestampMs), nodeId,
  })
  if (event.secret !== '') {
    message.sign = createHmac('sha256', event.secret).update(toBinary(MqEventSchema, message)).digest('base64')
  }
  return Buffer.from(toBinary(MqEventSchema, message))
}

t.test('an event is the bytes that protobuf-es writes, signed over those without the signature', async () => {
  fc.assert(fc.property(anyEvent, anyText, (event, nodeId) => {
    assert.equal(published(event, nodeId).toString('hex'), expected(event, nodeId).toString('hex'))
  }), { numRuns: 2000 })
})

t.test('an event can be decoded before it is signed', async t => {
  const { sign, traceId } = fromBinary(MqEventSchema, encodeEvent(event, 'node-1').value)
  t.strictSame({ sign, traceId }, { sign: '\0'.repeat(44), traceId: event.traceId })
})

t.test('what it takes to publish an event is beside its bytes', async t => {
  const { tenantId, type, key, msgId, traceId, timestampMs, secret } = event
  t.match(encodeEvent(event, 'node-1'), { tenantId, type, key, msgId, traceId, timestampMs, secret })
})

t.test('an event is its own: the data may change and other events be made', async t => {
  const data = Buffer.from('data')
  const encoded = encodeEvent({ ...event, data }, 'node-1')
  data.fill(0)
  for (let i = 0; i < 1000; i++) published(event, `node-${i}`)
  signEvent(encoded)
  t.strictSame(encoded.value, published(event))
})

t.test('signing again changes nothing', async t => {
  const encoded = encodeEvent(event, 'node-1')
  signEvent(encoded)
  const once = encoded.value.toString('hex')
  signEvent(encoded)
  t.equal(encoded.value.toString('hex'), once)
})

t.test('the signature of every event holds with its secret and with no other', async () => {
  fc.assert(fc.property(anyEvent, anyText, (event, other) => {
    const value = published(event)
    assert.equal(verifyEvent(event.secret, value), event.secret !== '')
    if (keyOf(other) !== keyOf(event.secret)) assert.equal(verifyEvent(other, value), false)
  }), { numRuns: 1000 })
})

/** Secrets that HMAC takes for one: as UTF-8 lone surrogates are all the same, and keys are filled up with zeros. */
function keyOf (secret: string): string {
  return Buffer.from(secret).toString('latin1').replace(/\0+$/, '')
}

t.test('a signature covers fields that this version does not know, wherever they stand', async () => {
  const secret = 's3cret'
  const others = fc.array(fc.oneof(unknownField(13), fc.constant(published({ ...event, secret: '' }))), { maxLength: 4 })
  fc.assert(fc.property(others, others, (before, after) => {
    const unsigned = Buffer.concat([...before, ...after])
    const sign = Buffer.from(createHmac('sha256', secret).update(unsigned).digest('base64'))
    const value = Buffer.concat([...before, prefixed(11, sign), ...after])
    assert.equal(verifyEvent(secret, value), true)
    assert.equal(verifyEvent(secret, Buffer.concat([value, tagged(13, WireType.Varint, Uint8Array.of(1))])), false)
  }))
})

t.test('of two signatures the last counts, and neither is signed', async t => {
  const good = published(event)
  const bad = prefixed(11, Buffer.alloc(44, 'A'))
  t.equal(verifyEvent(event.secret, Buffer.concat([bad, good])), true)
  t.equal(verifyEvent(event.secret, Buffer.concat([good, bad])), false)
})

t.test('an event without a signature, or with one of another length, does not verify', async t => {
  const unsigned = published({ ...event, secret: '' })
  t.equal(verifyEvent('s3cret', unsigned), false)
  t.equal(verifyEvent('', unsigned), false)
  for (const sign of ['', 'A', 'A'.repeat(43), 'A'.repeat(45)]) {
    t.equal(verifyEvent('s3cret', Buffer.concat([unsigned, prefixed(11, Buffer.from(sign))])), false)
  }
  t.equal(verifyEvent('', Buffer.concat([unsigned, prefixed(11, hmacOf('', unsigned))])), false, 'an empty secret signs nothing')
})

t.test('what is signed and is no protobuf does not verify', async t => {
  const rubbish = Buffer.from([0x07])
  t.equal(verifyEvent('s3cret', Buffer.concat([prefixed(11, hmacOf('s3cret', rubbish)), rubbish])), false)
})

t.test('damaged bytes do not verify, and never throw', async () => {
  const value = published(event)
  fc.assert(fc.property(damaged(fc.constant(value)), (bytes) => {
    if (!Buffer.from(bytes).equals(value)) assert.equal(verifyEvent(event.secret, bytes), false)
  }), { numRuns: 2000 })
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
    assert.equal(verifyEvent(event.secret, bytes), false)
  }))
})

function hmacOf (secret: string, bytes: Uint8Array): Buffer {
  return Buffer.from(createHmac('sha256', secret).update(bytes).digest('base64'))
}
