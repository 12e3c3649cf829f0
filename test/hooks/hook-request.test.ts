import { createHmac } from 'node:crypto'
import { create, fromBinary, toBinary, type DescMessage, type MessageInitShape } from '@bufbuild/protobuf'
import t, { type Test } from 'tap'
import {
  AuthRequestSchema, CheckMessageRequestSchema, GetGroupMembersRequestSchema, GetOfflineMessagesRequestSchema,
  HookMetaSchema,
} from '../../lib/gen/mics/hook/v1/hook_pb.js'
import { MessageRequestSchema, MessageType } from '../../lib/gen/mics/message/v1/message_pb.js'
import { encodeHookRequest, type RequestMeta } from '../../lib/hooks/hook-request.js'
import { encodeMessageField } from '../../lib/protocol/server-frame.js'

const SECRET = 'test-secret'
const META: RequestMeta = { tenantId: 't1', requestId: 'r-1', traceId: 'f00d', timestampMs: 1700000000123n }

const message = {
  tenantId: 't1',
  userId: 'alice',
  deviceId: 'd1',
  msgId: 'm1',
  msgType: MessageType.GROUP_CHAT,
  toUserId: '',
  groupId: 'g',
  msgBody: Buffer.from('héllo'),
  timestampMs: 1700000000000n,
}

// Lengths around those at which a length takes one byte more, and far beyond.
const lengths = [0, 1, 60, 90, 126, 127, 128, 129, 300, 16_383, 16_384, 70_000]

/** The whole request as protobuf-es writes it. */
function whole<S extends DescMessage> (schema: S, fields: MessageInitShape<S>, sign: string, meta = META): Buffer {
  const request = { ...fields, meta: create(HookMetaSchema, { ...meta, sign }) } as MessageInitShape<S>
  return Buffer.from(toBinary(schema, create(schema, request)))
}

function signOf (unsigned: Buffer, meta = META): string {
  const time = Buffer.alloc(8)
  time.writeBigInt64LE(meta.timestampMs)
  return createHmac('sha256', SECRET).update(unsigned).update(meta.requestId).update(time).digest('base64')
}

function sameAsProtobuf<S extends DescMessage> (t: Test, schema: S, fields: MessageInitShape<S>, meta = META): void {
  const encoded = toBinary(schema, create(schema, fields))
  const unsigned = whole(schema, fields, '', meta)
  t.ok(encodeHookRequest(meta, encoded, '').body.equals(unsigned), 'unsigned')
  const signed = encodeHookRequest(meta, encoded, SECRET).body
  t.ok(signed.equals(whole(schema, fields, signOf(unsigned, meta), meta)), 'signed')
}

t.test('the bytes of each request are those of protobuf-es, signature included', async t => {
  sameAsProtobuf(t, AuthRequestSchema, { token: 'valid:alice', deviceId: 'd1' })
  sameAsProtobuf(t, CheckMessageRequestSchema, { message })
  sameAsProtobuf(t, GetGroupMembersRequestSchema, { groupId: 'g' })
  sameAsProtobuf(t, GetOfflineMessagesRequestSchema, { userId: 'alice', deviceId: 'd1', maxMessages: 100, cursor: 'c' })
})

t.test('requests with no field set are right too', async t => {
  sameAsProtobuf(t, AuthRequestSchema, {})
  sameAsProtobuf(t, GetGroupMembersRequestSchema, {})
  sameAsProtobuf(t, CheckMessageRequestSchema, { message: {} })
})

t.test('ids and bodies of any length are right', async t => {
  for (const length of lengths) {
    const id = 'x'.repeat(length)
    sameAsProtobuf(t, AuthRequestSchema, { token: id, deviceId: id })
    const long = { ...message, groupId: id, msgBody: Buffer.alloc(length, 7) }
    sameAsProtobuf(t, CheckMessageRequestSchema, { message: long })
    sameAsProtobuf(t, GetGroupMembersRequestSchema, { groupId: id })
    sameAsProtobuf(t, GetOfflineMessagesRequestSchema, { userId: id, deviceId: id, maxMessages: 1, cursor: id })
    sameAsProtobuf(t, AuthRequestSchema, { token: 'x' }, { ...META, tenantId: id, traceId: id, requestId: id })
  }
})

t.test('ids beyond ASCII are right', async t => {
  sameAsProtobuf(t, GetGroupMembersRequestSchema, { groupId: 'grüße-鍵-🙂' }, { ...META, tenantId: 'mieter-ü', requestId: 'ü-1' })
})

t.test('a message under check is encoded as protobuf-es does', async t => {
  for (const length of lengths) {
    const given = { ...message, groupId: 'g'.repeat(length), msgBody: Buffer.alloc(length, 7) }
    const { body } = encodeHookRequest(META, encodeMessageField(2 << 3 | 2, given), '')
    const expected = whole(CheckMessageRequestSchema, { message: create(MessageRequestSchema, given) }, '')
    t.ok(body.equals(expected), `${length} bytes`)
  }
})

t.test('a signed request says so in its headers, an unsigned one has none of them', async t => {
  const fields = toBinary(GetGroupMembersRequestSchema, create(GetGroupMembersRequestSchema, { groupId: 'g' }))
  const signed = encodeHookRequest(META, fields, SECRET)
  t.same(signed.headers, {
    'content-type': 'application/protobuf',
    'x-mics-timestamp': '1700000000123',
    'x-mics-signature': `v1=${createHmac('sha256', SECRET).update('1700000000123.').update(signed.body).digest('hex')}`,
  })
  const unsigned = encodeHookRequest(META, fields, '')
  t.same(unsigned.headers, { 'content-type': 'application/protobuf' })
  t.equal(fromBinary(GetGroupMembersRequestSchema, unsigned.body).meta?.sign, '')
})
