import { create, toBinary } from '@bufbuild/protobuf'
import type { Test } from 'tap'
import { EventType } from '../../lib/gen/mics/hook/v1/hook_pb.js'
import { ConnectAckSchema, MessageRequestSchema, MessageType } from '../../lib/gen/mics/message/v1/message_pb.js'
import { encodeEvent, signEvent } from '../../lib/mq/encode-event.js'
import { deadLetterHeaders, eventHeaders, type DeadLetterReason } from '../../lib/mq/event-headers.js'
import type { EventRecord } from '../../lib/mq/event-transport.js'
import type { MqEvent } from '../../lib/mq/mq-event.js'
import { allSent, withTransport } from '../mq/kafka/transport.js'

export const TRACE_ID = '0af7651916cd43dd8448eb211c80319c'
export const SECRET = 's3cret'
/** 2026-01-31T08:00:00.000Z */
export const TIMESTAMP = 1_769_846_400_000

export interface EventFields extends Partial<MqEvent> {
  /** The body of the message. */
  body?: string | Buffer
}

/** The record of a message event, as the gateway publishes it. */
export function eventRecord (topic: string, { body = 'hello', ...fields }: EventFields = {}): EventRecord {
  const { msgId = 'm1', userId = 'ann', toUserId = 'bob', groupId = '', type = EventType.SINGLE_CHAT_MSG } = fields
  const message = create(MessageRequestSchema, {
    tenantId: 'acme',
    userId,
    deviceId: 'phone',
    msgId,
    msgType: type === EventType.GROUP_CHAT_MSG ? MessageType.GROUP_CHAT : MessageType.SINGLE_CHAT,
    toUserId,
    groupId,
    msgBody: Buffer.from(body),
    timestampMs: BigInt(TIMESTAMP),
  })
  return recordOf(topic, {
    tenantId: 'acme',
    type,
    msgId,
    userId,
    deviceId: 'phone',
    toUserId,
    groupId,
    data: toBinary(MessageRequestSchema, message),
    timestampMs: TIMESTAMP,
    traceId: TRACE_ID,
    secret: SECRET,
    key: `${userId}:${toUserId}`,
    ...fields,
  })
}

/** The record of a connection that has begun. */
export function connectRecord (topic: string): EventRecord {
  const ack = create(ConnectAckSchema, {
    code: 1000, tenantId: 'acme', userId: 'ann', deviceId: 'phone', nodeId: 'node-1', traceId: TRACE_ID,
  })
  return recordOf(topic, {
    tenantId: 'acme',
    type: EventType.CONNECT_ONLINE,
    msgId: '',
    userId: 'ann',
    deviceId: 'phone',
    toUserId: '',
    groupId: '',
    data: toBinary(ConnectAckSchema, ack),
    timestampMs: TIMESTAMP,
    traceId: TRACE_ID,
    secret: SECRET,
    key: 'ann',
  })
}

/** The record of an event that its topic did not take. */
export function deadLetter (
  topic: string, fields: EventFields = {}, why: Partial<DeadLetterReason> = {}
): EventRecord {
  const record = eventRecord(topic, fields)
  const headers = deadLetterHeaders({
    reason: 'MSG_SIZE_TOO_LARGE',
    message: 'Broker: Message size too large',
    attempts: 1,
    topic: topic.replace(/-dlq$/, ''),
    nowMs: TIMESTAMP + 1000,
    isTruncated: false,
    ...why,
  })
  return { ...record, headers: [...record.headers, ...headers] }
}

/** Resolves when Kafka has stored these, those of one key in order. */
export async function publish (t: Test, brokers: string, records: readonly EventRecord[]): Promise<void> {
  const transport = await withTransport(t, brokers)
  for (const error of await allSent(transport, records)) {
    if (error !== undefined) throw error
  }
}

function recordOf (topic: string, event: MqEvent): EventRecord {
  const encoded = encodeEvent(event, 'node-1')
  signEvent(encoded)
  return { topic, key: event.key, value: encoded.value, headers: eventHeaders(encoded) }
}
