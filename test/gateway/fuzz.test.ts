import assert from 'node:assert/strict'
import type { Socket } from 'node:net'
import { create, toBinary, type MessageInitShape } from '@bufbuild/protobuf'
import fc from 'fast-check'
import t from 'tap'
import { ClientFrameSchema, type MessageRequestSchema } from '../../lib/gen/mics/message/v1/message_pb.js'
import { AckStatus, body, type TestClient } from '../helpers/client.js'
import type { TestGateway } from '../helpers/gateway.js'
import { startPatientGateway as startGateway } from '../helpers/patient-gateway.js'
import { until } from '../helpers/until.js'

const MAX_MESSAGE_BYTES = 1024
const MAX_FRAME_BYTES = MAX_MESSAGE_BYTES + 64 * 1024
/** What is received at all, so that it can be refused. */
const HARD_MAX_BYTES = 4 * MAX_FRAME_BYTES

const env = { MAX_MESSAGE_BYTES: `${MAX_MESSAGE_BYTES}` }

function messageFrame (fields: MessageInitShape<typeof MessageRequestSchema>): Buffer {
  return Buffer.from(toBinary(ClientFrameSchema, create(ClientFrameSchema, { payload: { case: 'message', value: fields } })))
}

/** Frames answered so far: each one is, with an error, an ack or a pong. */
function answers (client: TestClient): number {
  return client.frames.filter(({ payload }) => payload.case !== 'connectAck' && payload.case !== 'delivery').length
}

let chats = 0

/** The connection is as good as before: what it sends arrives. */
async function chatsOn (from: TestClient, to: TestClient): Promise<void> {
  const msgId = `still chatting ${++chats}`
  const ack = await from.sendAndAck({ msgId, toUserId: 'bob', msgBody: body('hi') })
  assert.equal(ack.status, AckStatus.SENT)
  await to.until(() => to.messages.some(message => message.msgId === msgId))
}

const valid = messageFrame({ msgId: 'm', toUserId: 'nobody', groupId: 'g', msgBody: body('some text'), timestampMs: 1n })

/** A frame that was valid until something happened to it. */
const damaged = fc.tuple(
  fc.nat(valid.length), fc.nat(4), fc.uint8Array({ maxLength: 12 })
).map(([at, removed, inserted]) => Buffer.concat([valid.subarray(0, at), inserted, valid.subarray(at + removed)]))

t.test('every frame of random bytes gets one answer, and the connection goes on', async t => {
  const gateway = await startGateway(t, env)
  const alice = await gateway.connect('alice')
  const bob = await gateway.connect('bob')
  const frames = fc.array(fc.oneof(fc.uint8Array({ maxLength: 200 }), damaged), { minLength: 1, maxLength: 20 })
  await fc.assert(fc.asyncProperty(frames, async frames => {
    const before = answers(alice)
    for (const frame of frames) alice.sendRaw(Buffer.from(frame))
    await alice.until(() => answers(alice) >= before + frames.length)
    await alice.roundTrip()
    assert.equal(answers(alice), before + frames.length + 1)
    await chatsOn(alice, bob)
  }), { numRuns: 100 })
  t.ok(alice.errors.length > 100)
  t.ok(alice.errors.every(({ code }) => code === 4400))
  t.equal(await gateway.metric('mics_frame_errors_total', { tenant: 't1', code: '4400' }), alice.errors.length)
})

const notFrames: Record<string, Buffer | string> = {
  'an empty frame': Buffer.alloc(0),
  'a text frame': 'hello',
  'an empty text frame': '',
  'a text frame with the bytes of a valid message': valid.toString('latin1'),
  'a frame without a payload': Buffer.from([0xf8, 0x07, 0x01]),
  'a length of four gigabytes': Buffer.from([0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f]),
  'a length beyond 64 bits': Buffer.from([0x0a, ...Array<number>(20).fill(0xff)]),
  'groups within groups': Buffer.alloc(5000, 0x1b),
  'an id that is not UTF-8': Buffer.from([0x0a, 0x04, 0x22, 0x02, 0xc3, 0x28]),
}

for (const [what, frame] of Object.entries(notFrames)) {
  t.test(`${what} is answered with 4400, and the connection goes on`, async t => {
    const gateway = await startGateway(t, env)
    const alice = await gateway.connect('alice')
    const bob = await gateway.connect('bob')
    alice.sendRaw(frame)
    const [error] = await alice.waitErrors(1)
    t.equal(error.code, 4400)
    t.match(error.message, /ClientFrame/)
    await chatsOn(alice, bob)
    t.equal(answers(alice), 2)
  })
}

t.test('a valid frame cut off anywhere is answered with 4400', async t => {
  const gateway = await startGateway(t, env)
  const alice = await gateway.connect('alice')
  const bob = await gateway.connect('bob')
  for (let length = 0; length < valid.length; length++) alice.sendRaw(valid.subarray(0, length))
  const errors = await alice.waitErrors(valid.length)
  t.ok(errors.every(({ code }) => code === 4400))
  await chatsOn(alice, bob)
  t.equal(alice.acks.length, 1)
})

t.test('a frame one byte over the limit is answered with 4401, and the connection goes on', async t => {
  const gateway = await startGateway(t, env)
  const alice = await gateway.connect('alice')
  const bob = await gateway.connect('bob')
  for (const length of [MAX_FRAME_BYTES + 1, HARD_MAX_BYTES]) alice.sendRaw(Buffer.alloc(length))
  alice.sendRaw('x'.repeat(MAX_FRAME_BYTES + 1))
  const errors = await alice.waitErrors(3)
  t.same(errors.map(({ code }) => code), [4401, 4401, 4401])
  t.match(errors[0].message, new RegExp(`${MAX_FRAME_BYTES} bytes`), 'it says what is allowed')
  alice.sendRaw(Buffer.alloc(MAX_FRAME_BYTES))
  t.equal((await alice.waitErrors(4))[3].code, 4400, 'up to the limit it is read')
  await chatsOn(alice, bob)
})

t.test('a body over the limit in a frame within it fails, one at the limit does not', async t => {
  const gateway = await startGateway(t, env)
  const alice = await gateway.connect('alice')
  const bob = await gateway.connect('bob')
  t.match(await alice.sendAndAck({ toUserId: 'bob', msgBody: Buffer.alloc(MAX_MESSAGE_BYTES + 1) }),
    { status: AckStatus.FAILED, reason: 'msg_body_too_large' })
  t.match(await alice.sendAndAck({ toUserId: 'bob', msgBody: Buffer.alloc(MAX_MESSAGE_BYTES) }), { status: AckStatus.SENT })
  t.equal((await bob.waitMessages(1))[0].msgBody.length, MAX_MESSAGE_BYTES)
  await chatsOn(alice, bob)
  t.equal(bob.messages.length, 2)
})

t.test('a message in fragments is one message', async t => {
  const gateway = await startGateway(t, env)
  const alice = await gateway.connect('alice')
  const bob = await gateway.connect('bob')
  const frame = messageFrame({ msgId: 'm', toUserId: 'bob', msgBody: body('in pieces') })
  for (let i = 0; i < frame.length; i++) {
    alice.ws.send(frame.subarray(i, i + 1), { binary: true, fin: i === frame.length - 1 })
  }
  t.equal((await bob.waitMessages(1))[0].msgId, 'm')
  await chatsOn(alice, bob)
})

/** Connects two, ruins one, and returns how that one ended; the other must not feel it. */
async function ruin (gateway: TestGateway, how: (client: TestClient) => void): Promise<number> {
  const alice = await gateway.connect('alice')
  const bob = await gateway.connect('bob')
  const bad = await gateway.connect('mallory')
  how(bad)
  const { code } = await bad.closed
  await chatsOn(alice, bob)
  await until('mallory is gone', () => gateway.server.app.connections.ofUser('t1', 'mallory').length === 0)
  assert.equal(await gateway.metric('mics_connections', { tenant: 't1' }), 2)
  // And whoever it was may come again.
  await (await gateway.connect('mallory')).roundTrip()
  return code
}

t.test('a frame beyond what is received at all ends its own connection', async t => {
  const gateway = await startGateway(t, env)
  t.equal(await ruin(gateway, client => client.sendRaw(Buffer.alloc(HARD_MAX_BYTES + 1))), 1009)
})

const MASK = [0, 0, 0, 0]
// RFC 6455: what a client must not send, and the code it is closed with.
const violations: Record<string, { bytes: number[], code: number }> = {
  'an unmasked frame': { bytes: [0x82, 0x01, 0x00], code: 1002 },
  'a reserved bit': { bytes: [0xc2, 0x80, ...MASK], code: 1002 },
  'a reserved opcode': { bytes: [0x83, 0x80, ...MASK], code: 1002 },
  'a ping in fragments': { bytes: [0x09, 0x80, ...MASK], code: 1002 },
  'a ping of more than 125 bytes': { bytes: [0x89, 0xfe, 0x00, 0x7e, ...MASK], code: 1002 },
  'a continuation of nothing': { bytes: [0x80, 0x80, ...MASK], code: 1002 },
  'a close code that does not exist': { bytes: [0x88, 0x82, ...MASK, 0x03, 0xed], code: 1002 },
  'half a close code': { bytes: [0x88, 0x81, ...MASK, 0x03], code: 1002 },
  'text that is not UTF-8': { bytes: [0x81, 0x81, ...MASK, 0xff], code: 1007 },
  'a frame of four gigabytes': { bytes: [0x82, 0xff, 0, 0, 0, 1, 0, 0, 0, 0, ...MASK], code: 1009 },
  'a frame of more bytes than can be counted': { bytes: [0x82, 0xff, ...Array<number>(8).fill(0x7f), ...MASK], code: 1009 },
}

for (const [what, { bytes, code }] of Object.entries(violations)) {
  t.test(`${what} ends its own connection`, async t => {
    const gateway = await startGateway(t, env)
    t.equal(await ruin(gateway, client => {
      (client.ws as unknown as { _socket: Socket })._socket.write(Buffer.from(bytes))
    }), code)
  })
}

t.test('random bytes on the wire end their own connection, at the latest when they end', async t => {
  const gateway = await startGateway(t, { ...env, HANDSHAKE_MAX_PER_SECOND: '100000' })
  await fc.assert(fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 300 }), async bytes => {
    await ruin(gateway, client => (client.ws as unknown as { _socket: Socket })._socket.end(Buffer.from(bytes)))
  }), { numRuns: 50 })
})
