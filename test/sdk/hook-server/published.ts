import { create, toBinary } from '@bufbuild/protobuf'
import { EventType } from '../../../lib/gen/mics/hook/v1/hook_pb.js'
import { MessageRequestSchema, MessageType } from '../../../lib/gen/mics/message/v1/message_pb.js'
import { encodeEvent, signEvent } from '../../../lib/mq/encode-event.js'
import type { EventRecord } from '../../../sdk/hook-server/src/events.js'
import { SECRET } from './caller.js'

type Fields = Partial<Parameters<typeof encodeEvent>[0]>

/** The bytes of an event as the gateway publishes it: a message of alice's to bob, but for the fields given. */
export function published (fields: Fields = {}): Buffer {
  const event = encodeEvent({
    tenantId: 't1',
    type: EventType.SINGLE_CHAT_MSG,
    msgId: 'm1',
    userId: 'alice',
    deviceId: 'd1',
    toUserId: 'bob',
    groupId: '',
    data: messageBytes(fields.msgId),
    timestampMs: 1_700_000_000_000,
    traceId: 'trace-1',
    secret: SECRET,
    key: 'alice:bob',
    ...fields,
  }, 'node-1')
  signEvent(event)
  return event.value
}

export function messageBytes (msgId = 'm1'): Buffer {
  return Buffer.from(toBinary(MessageRequestSchema, create(MessageRequestSchema, {
    tenantId: 't1',
    userId: 'alice',
    deviceId: 'd1',
    msgId,
    msgType: MessageType.SINGLE_CHAT,
    toUserId: 'bob',
    msgBody: Buffer.from(`body of ${msgId}`),
    timestampMs: 1n,
  })))
}

let offsets = 0

/** A record as it is read from Kafka. */
export function recordOf (key: string | null, value: Uint8Array): EventRecord {
  return { topic: 'im-mics-t1-event', partition: 0, offset: String(offsets++), key, value, headers: {} }
}
