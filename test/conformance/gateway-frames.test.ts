import t from 'tap'
import { decodeClientFrame, HeartbeatPing } from '../../lib/protocol/client-frame.js'
import { encodeAck, encodeDelivery, encodePong } from '../../lib/protocol/server-frame.js'
import { TestClient } from '../helpers/client.js'
import { startPatientGateway } from '../helpers/patient-gateway.js'
import { bytesOf, messageFields, messageOf, vectors, withoutDefaults, type Fields } from './vectors.js'

const client = vectors('client-frames')
const server = vectors('server-frames')

t.test('the gateway reads each frame of a client as the vectors say', async t => {
  for (const { name, bytes, fields } of client.cases) {
    const frame = decodeClientFrame(bytesOf(bytes))
    if (frame instanceof HeartbeatPing) {
      t.strictSame({ heartbeat_ping: withoutDefaults({ timestamp_ms: String(frame.timestampMs) }) }, fields, name)
    } else {
      t.ok(frame !== null, name)
      if (frame !== null) t.strictSame({ message: messageFields(frame) }, fields, name)
    }
  }
})

t.test('the gateway takes nothing for a frame that is none, and is stricter than a client need be', async t => {
  for (const { name, bytes } of client.invalid) t.equal(decodeClientFrame(bytesOf(bytes)), null, name)
})

t.test('the gateway writes the bytes of the vectors', async t => {
  let written = 0
  for (const { name, bytes, fields } of server.cases.filter(({ canonical }) => canonical)) {
    const frame = encoded(fields)
    if (frame === undefined) continue
    written++
    t.equal(payloadOf(frame).toString('hex'), bytes, name)
  }
  t.ok(written > 20)
})

t.test('a running gateway answers each frame of the vectors: acks and deliveries, pongs, errors', async t => {
  const gateway = await startPatientGateway(t)
  gateway.hooks.groups.set('team', ['bob'])
  const alice = await gateway.connect('alice', { deviceId: 'phone' })
  const receivers = new Map<string, TestClient>()
  const receiver = async (user: string): Promise<TestClient> => {
    if (!receivers.has(user)) receivers.set(user, await gateway.connect(user, { deviceId: 'd' }))
    return receivers.get(user) as TestClient
  }
  for (const [index, { name, bytes, fields }] of client.cases.entries()) {
    const message = fields.message as Fields | undefined
    const { msgId, toUserId, groupId, msgType } = messageOf(message ?? {})
    const to = msgType === 1 && groupId !== '' ? await receiver('bob') : msgType === 0 && toUserId !== '' ? await receiver(toUserId) : undefined
    const before = { acks: alice.acks.length, errors: alice.errors.length, messages: to?.messages.length ?? 0 }
    alice.sendRaw(bytesOf(bytes))
    await alice.roundTrip()
    t.equal(alice.errors.length, before.errors, `${name}: no error`)
    if (message === undefined) {
      t.equal(alice.acks.length, before.acks, `${name}: no ack`)
      continue
    }
    const ack = (await alice.waitAcks(before.acks + 1))[before.acks]
    if (msgId !== '') t.equal(ack.msgId, msgId, name)
    if (to === undefined || ack.reason !== '') {
      t.match(ack, { status: to === undefined || ack.reason === 'msg_id conflict' ? 1 : 0 }, name)
      continue
    }
    const delivered = messageFields((await to.waitMessages(before.messages + 1))[before.messages])
    const { timestamp_ms: time, msg_id: id, ...expected } = message
    t.match(delivered, { ...expected, tenant_id: 't1', user_id: 'alice', device_id: 'phone' }, `${name} (${index}): delivered`)
    if (id !== undefined) t.equal(delivered.msg_id, id)
    if (time !== undefined) t.equal(delivered.timestamp_ms, time)
  }
  for (const [index, { bytes }] of client.invalid.entries()) {
    alice.sendRaw(bytesOf(bytes))
    t.match((await alice.waitErrors(index + 1))[index], { code: 4400 }, client.invalid[index].name)
  }
})

function encoded ({ delivery, ack, heartbeat_pong: pong }: Fields): Buffer | undefined {
  if (isSubmessage(delivery) && isSubmessage(delivery.message)) return encodeDelivery(messageOf(delivery.message))
  if (isSubmessage(ack)) {
    return encodeAck({
      msgId: (ack.msg_id ?? '') as string,
      status: (ack.status ?? 0) as number,
      timestampMs: Number(ack.timestamp_ms ?? 0),
      reason: (ack.reason ?? '') as string,
      partialDelivery: ack.partial_delivery === true,
      offlineNotifiedUsers: (ack.offline_notified_users ?? 0) as number,
      offlineBufferedUsers: (ack.offline_buffered_users ?? 0) as number,
      offlineSkippedUsers: (ack.offline_skipped_users ?? 0) as number,
    })
  }
  return isSubmessage(pong) ? encodePong(Number(pong.timestamp_ms ?? 0)) : undefined
}

function isSubmessage (value: unknown): value is Fields {
  return typeof value === 'object' && value !== null
}

/** Without the head of the WebSocket frame. */
function payloadOf (frame: Buffer): Buffer {
  return frame.subarray(frame[1] < 126 ? 2 : frame[1] === 126 ? 4 : 10)
}
