import t from 'tap'
import type { EventType } from '../../lib/gen/mics/hook/v1/hook_pb.js'
import { conversationKey } from '../../lib/mq/conversation-key.js'
import { encodeEvent, signEvent, verifyEvent } from '../../lib/mq/encode-event.js'
import { eventHeaders } from '../../lib/mq/event-headers.js'
import { TopicNames } from '../../lib/mq/topic-names.js'
import { bytesOf, vectors } from './vectors.js'

const { cases, verify, keys, topics } = vectors('events')
const names = new TopicNames('im-mics-{tenant_id}-event', 'im-mics-{tenant_id}-event-dlq')

t.test('the gateway\'s events are the bytes of the vectors, with their headers and topics', async t => {
  for (const { name, secret, fields, bytes, key, topic, dead_letter_topic: deadLetter, headers } of cases) {
    const text = (field: string): string => (fields[field] ?? '') as string
    const event = encodeEvent({
      tenantId: text('tenant_id'),
      type: (fields.event_type ?? 0) as EventType,
      msgId: text('msg_id'),
      userId: text('user_id'),
      deviceId: text('device_id'),
      toUserId: text('to_user_id'),
      groupId: text('group_id'),
      data: bytesOf(text('event_data')),
      timestampMs: Number(fields.timestamp),
      traceId: text('trace_id'),
      secret,
      key,
    }, text('node_id'))
    signEvent(event)
    t.equal(event.value.toString('hex'), bytes, name)
    t.match(Object.fromEntries(eventHeaders(event)), headers, name)
    t.equal(names.event(text('tenant_id')), topic, name)
    t.equal(names.deadLetter(text('tenant_id')), deadLetter, name)
  }
})

t.test('the gateway\'s own reader of events takes those that the vectors do', async t => {
  for (const { name, secrets, bytes, accepted } of verify) {
    t.equal(secrets.some(secret => verifyEvent(secret, bytesOf(bytes))), accepted, name)
  }
})

t.test('conversations have the keys of the vectors, and tenants the topics', async t => {
  for (const { msg_type: msgType, user_id: userId, to_user_id: toUserId, group_id: groupId, key } of keys) {
    t.equal(conversationKey({ msgType, userId, toUserId, groupId }), key, `${userId} to ${toUserId || groupId}`)
  }
  for (const { tenant_id: tenantId, topic, dead_letter_topic: deadLetter } of topics) {
    t.equal(names.event(tenantId), topic, tenantId)
    t.equal(names.deadLetter(tenantId), deadLetter, tenantId)
  }
})
