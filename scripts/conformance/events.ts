import { createHash, createHmac } from 'node:crypto'
import { create, toBinary, type MessageInitShape } from '@bufbuild/protobuf'
import { EventType, MqEventSchema } from '../../lib/gen/mics/hook/v1/hook_pb.js'
import { ConnectAckSchema, MessageRequestSchema } from '../../lib/gen/mics/message/v1/message_pb.js'
import { fieldsIn, hex } from './field-values.js'
import { varintField } from './wire.js'

// As docs/protocol.md, "Events", says it; none of the gateway's own code is used.

const traceId = '0123456789abcdef0123456789abcdef'
const connectAck = toBinary(ConnectAckSchema, create(ConnectAckSchema, { code: 1000, tenantId: 'acme', userId: 'alice', deviceId: 'phone', nodeId: 'node-1', traceId }))

function request (values: MessageInitShape<typeof MessageRequestSchema>): Uint8Array {
  return toBinary(MessageRequestSchema, create(MessageRequestSchema, { tenantId: 'acme', userId: 'alice', deviceId: 'phone', msgBody: Buffer.from('hello'), timestampMs: 1700000000000n, ...values }))
}

const base = { tenantId: 'acme', userId: 'alice', deviceId: 'phone', timestamp: 1700000000123n, nodeId: 'node-1', traceId }

const events: [name: string, secret: string, key: string, event: MessageInitShape<typeof MqEventSchema>][] = [
  ['a device has connected', 's3cret', 'alice', { ...base, eventType: EventType.CONNECT_ONLINE, eventData: connectAck }],
  ['a connection has ended', 's3cret', 'alice', { ...base, eventType: EventType.CONNECT_OFFLINE, eventData: connectAck }],
  ['a message to one user', 's3cret', 'alice:bob', { ...base, eventType: EventType.SINGLE_CHAT_MSG, msgId: 'm-1', toUserId: 'bob', eventData: request({ msgId: 'm-1', toUserId: 'bob' }) }],
  ['a message to a group', 's3cret', 'team', { ...base, eventType: EventType.GROUP_CHAT_MSG, msgId: 'm-2', groupId: 'team', eventData: request({ msgId: 'm-2', msgType: 1, groupId: 'team' }) }],
  ['a message for a user who is absent', 's3cret', 'alice:bob', { ...base, eventType: EventType.OFFLINE_MESSAGE, msgId: 'm-1', toUserId: 'bob', eventData: request({ msgId: 'm-1', toUserId: 'bob' }) }],
  ['a group\'s message for a member who is absent', 's3cret', 'team', { ...base, eventType: EventType.OFFLINE_MESSAGE, msgId: 'm-2', toUserId: 'bob', groupId: 'team', eventData: request({ msgId: 'm-2', msgType: 1, groupId: 'team' }) }],
  ['a secret and ids beyond ASCII', 'schlüssel-鍵-🔑', 'José:李雷', { ...base, tenantId: 'köln', userId: '李雷', eventType: EventType.SINGLE_CHAT_MSG, msgId: '😀', toUserId: 'José', eventData: request({ tenantId: 'köln', userId: '李雷', msgId: '😀', toUserId: 'José' }) }],
  ['a tenant without a secret: no signature', '', 'alice', { ...base, eventType: EventType.CONNECT_ONLINE, eventData: connectAck }],
]

export function eventVectors (): object {
  return {
    description: 'Events, mics.hook.v1.MqEvent. bytes is the value of a record: what is signed (unsigned) with the field sign put in its place. sign: Base64 of HMAC-SHA256(secret in UTF-8, unsigned). key, topic, dead_letter_topic and headers are those of the record; a traceparent comes besides. verify: whether a value was signed with one of the secrets. keys: of conversations, one for both directions. topics: of tenants, with the usual templates.',
    cases: events.map(([name, secret, key, event]) => eventCase(name, secret, key, event)),
    verify: verifyCases(),
    keys: [
      keyCase('alice', 'bob', 'alice:bob'),
      keyCase('bob', 'alice', 'alice:bob'),
      keyCase('alice', 'alice', 'alice:alice'),
      keyCase('Zoe', 'alice', 'Zoe:alice'),
      keyCase('10', '9', '10:9'),
      keyCase('user', 'user2', 'user:user2'),
      // UTF-16 puts a surrogate (U+D83D) before U+FF21; UTF-8 would put U+1F600 after it.
      keyCase('\uff21', '😀', '😀:\uff21'),
      { msg_type: 1, user_id: 'alice', to_user_id: '', group_id: 'team', key: 'team' },
      { msg_type: 1, user_id: 'alice', to_user_id: 'bob', group_id: 'team', key: 'team' },
    ],
    topics: [
      'acme', 'Acme_1.test', 'a b', 'köln', '李雷', '😀', 'a/b:c', '.', '..', '...', 'a-x20b', 'a-xFF', 'a-x2b', '-', 'x'.repeat(234), 'x'.repeat(235), 'é'.repeat(40), 'é'.repeat(300),
    ].map(tenant => ({ tenant_id: tenant, topic: topicOf(tenant, 'im-mics-', '-event'), dead_letter_topic: topicOf(tenant, 'im-mics-', '-event-dlq') })),
  }
}

function keyCase (userId: string, toUserId: string, key: string): object {
  return { msg_type: 0, user_id: userId, to_user_id: toUserId, group_id: '', key }
}

function eventCase (name: string, secret: string, key: string, values: MessageInitShape<typeof MqEventSchema>): object {
  const event = create(MqEventSchema, values)
  const unsigned = toBinary(MqEventSchema, event)
  event.sign = sign(secret, unsigned)
  const bytes = toBinary(MqEventSchema, event)
  return {
    name,
    secret,
    fields: fieldsIn(MqEventSchema, bytes),
    unsigned: hex(unsigned),
    bytes: hex(bytes),
    key,
    topic: topicOf(event.tenantId, 'im-mics-', '-event'),
    dead_letter_topic: topicOf(event.tenantId, 'im-mics-', '-event-dlq'),
    headers: { 'mics-tenant-id': event.tenantId, 'mics-event-type': EventType[event.eventType] },
  }
}

function verifyCases (): object[] {
  const secret = 's3cret'
  const event = create(MqEventSchema, events[2][3])
  const newer = varintField(1001, 150)
  const signed = (unsigned: Uint8Array, more: Uint8Array): Buffer => {
    const value = create(MqEventSchema, { ...event, sign: sign(secret, Buffer.concat([unsigned, more])) })
    return Buffer.concat([toBinary(MqEventSchema, value), more])
  }
  const good = signed(toBinary(MqEventSchema, event), Buffer.alloc(0))
  const changed = Buffer.from(good)
  changed[8] ^= 1
  return [
    { name: 'signed with the secret', secrets: [secret], bytes: hex(good), accepted: true },
    { name: 'signed with the second of two', secrets: ['another', secret], bytes: hex(good), accepted: true },
    { name: 'signed with another', secrets: ['another'], bytes: hex(good), accepted: false },
    { name: 'changed on the way', secrets: [secret], bytes: hex(changed), accepted: false },
    { name: 'with a field of a newer gateway, which is signed too', secrets: [secret], bytes: hex(signed(toBinary(MqEventSchema, event), newer)), accepted: true },
    { name: 'with a field that was added on the way', secrets: [secret], bytes: hex(Buffer.concat([good, newer])), accepted: false },
    { name: 'unsigned', secrets: [secret], bytes: hex(toBinary(MqEventSchema, event)), accepted: false },
    { name: 'no event at all', secrets: [secret], bytes: '0aff', accepted: false },
  ]
}

function sign (secret: string, unsigned: Uint8Array): string {
  return secret === '' ? '' : createHmac('sha256', secret).update(unsigned).digest('base64')
}

function topicOf (tenantId: string, prefix: string, suffix: string): string {
  const room = 249 - prefix.length - suffix.length
  let escaped = ''
  for (let at = 0; at < tenantId.length;) {
    const character = String.fromCodePoint(tenantId.codePointAt(at) as number)
    const readsAsEscape = /^-x[0-9A-F]{2}/.test(tenantId.slice(at))
    const isLegal = /^[a-zA-Z0-9._-]$/.test(character) && tenantId !== '.' && tenantId !== '..' && !readsAsEscape
    escaped += isLegal ? character : Array.from(Buffer.from(character), byte => `-x${byte.toString(16).toUpperCase().padStart(2, '0')}`).join('')
    at += character.length
  }
  if (escaped.length > room) {
    const end = `-xFF${createHash('sha256').update(tenantId).digest('hex')}`
    escaped = escaped.slice(0, room - end.length) + end
  }
  return prefix + escaped + suffix
}
