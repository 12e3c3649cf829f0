import { isUtf8 } from 'node:buffer'
import { fromBinary, type DescMessage, type MessageShape } from '@bufbuild/protobuf'
import { EventType, MqEventSchema, type MqEvent } from '../gen/mics/hook/v1/hook_pb.js'
import { ConnectAckSchema, MessageRequestSchema, MessageType } from '../gen/mics/message/v1/message_pb.js'
import { verifyEvent } from './encode-event.js'
import { readDeadLetterHeaders, REPLAYED_AT, type DeadLetterReason } from './event-headers.js'
import type { TopicRecord } from './kafka/topic-reader.js'

/**
 * Whether an event's signature holds: `ok` or `bad`; `none` where it has none, `unknown` where it has one and the
 * secret is not known.
 */
export type SignatureState = 'ok' | 'bad' | 'none' | 'unknown'

/** A record of a topic of events, for people and for JSON: names are those of the .proto, in snake_case. */
export interface EventDescription {
  /** `timestamp` in ISO 8601, for people; that of the record where the event cannot be decoded. */
  time: string
  event?: EventFields
  /** Why there is no `event`. */
  error?: string
  dead_letter?: DeadLetter
  replayed_at?: string
  key: string
  partition: number
  offset: number
  /** Bytes of the record's value. */
  size: number
}

/** Why an event is a dead letter. */
interface DeadLetter {
  reason: string
  message: string
  attempts: number
  topic: string
  failed_at: string
  truncated: boolean
}

export interface EventFields {
  event_type: string
  tenant_id: string
  msg_id: string
  user_id: string
  device_id: string
  to_user_id: string
  group_id: string
  timestamp: number | string
  node_id: string
  trace_id: string
  signature: SignatureState
  /** Null where the event has none. */
  event_data: Record<string, unknown> | null
}

export interface DescribeOptions {
  /** One of these signs the tenant's events: two while it is changed. Empty: none is known. */
  secrets: readonly string[]
  /** Bodies of messages too, and not only their sizes. */
  bodies: boolean
}

export function describeRecord (record: TopicRecord, options: DescribeOptions): EventDescription {
  const { key, partition, offset, value, timestampMs, headers } = record
  const description: EventDescription = { time: isoTime(timestampMs), key, partition, offset, size: value?.length ?? 0 }
  const event = value === null ? undefined : decode(MqEventSchema, value)
  if (value === null || event === undefined) {
    description.error = value === null ? 'a record without a value' : 'not an MqEvent'
  } else {
    description.time = isoTime(Number(event.timestamp))
    description.event = describeEvent(event, value, options)
  }
  const why = readDeadLetterHeaders(headers)
  if (why !== undefined) description.dead_letter = describeDeadLetter(why)
  const replayedAt = headers.find(([name]) => name === REPLAYED_AT)?.[1]
  if (replayedAt !== undefined) description.replayed_at = isoTime(Number(replayedAt))
  return description
}

function describeDeadLetter ({ reason, message, attempts, topic, nowMs, isTruncated }: DeadLetterReason): DeadLetter {
  return { reason, message, attempts, topic, failed_at: isoTime(nowMs), truncated: isTruncated }
}

function describeEvent (event: MqEvent, value: Buffer, { secrets, bodies }: DescribeOptions): EventFields {
  return {
    event_type: EventType[event.eventType] ?? String(event.eventType),
    tenant_id: event.tenantId,
    msg_id: event.msgId,
    user_id: event.userId,
    device_id: event.deviceId,
    to_user_id: event.toUserId,
    group_id: event.groupId,
    timestamp: plainNumber(event.timestamp),
    node_id: event.nodeId,
    trace_id: event.traceId,
    signature: signatureState(event, value, secrets),
    event_data: event.eventData.length === 0 ? null : describeData(event, bodies),
  }
}

function signatureState ({ sign }: MqEvent, value: Buffer, secrets: readonly string[]): SignatureState {
  if (sign === '') return 'none'
  if (secrets.length === 0) return 'unknown'
  return secrets.some(secret => verifyEvent(secret, value)) ? 'ok' : 'bad'
}

function describeData ({ eventType, eventData }: MqEvent, bodies: boolean): Record<string, unknown> {
  const isConnection = eventType === EventType.CONNECT_ONLINE || eventType === EventType.CONNECT_OFFLINE
  return isConnection ? describeConnectAck(eventData) : describeMessage(eventData, bodies)
}

function describeConnectAck (data: Uint8Array): Record<string, unknown> {
  const ack = decode(ConnectAckSchema, data)
  if (ack === undefined) return { error: 'not a ConnectAck', size: data.length }
  return {
    code: ack.code,
    tenant_id: ack.tenantId,
    user_id: ack.userId,
    device_id: ack.deviceId,
    node_id: ack.nodeId,
    trace_id: ack.traceId,
  }
}

function describeMessage (data: Uint8Array, bodies: boolean): Record<string, unknown> {
  const message = decode(MessageRequestSchema, data)
  if (message === undefined) return { error: 'not a MessageRequest', size: data.length }
  const { msgBody } = message
  return {
    tenant_id: message.tenantId,
    user_id: message.userId,
    device_id: message.deviceId,
    msg_id: message.msgId,
    msg_type: MessageType[message.msgType] ?? String(message.msgType),
    to_user_id: message.toUserId,
    group_id: message.groupId,
    msg_body_size: msgBody.length,
    ...(bodies ? { msg_body: Buffer.from(msgBody).toString('base64') } : {}),
    ...(bodies && isUtf8(msgBody) ? { msg_body_text: Buffer.from(msgBody).toString() } : {}),
    timestamp_ms: plainNumber(message.timestampMs),
  }
}

function decode<Desc extends DescMessage> (schema: Desc, bytes: Uint8Array): MessageShape<Desc> | undefined {
  try {
    return fromBinary(schema, bytes)
  } catch {
    return undefined // Whoever may write to the topic may have written anything.
  }
}

/** A number, for programs that reckon with it; text where a number could not hold it. */
function plainNumber (value: bigint): number | string {
  const number = Number(value)
  return Number.isSafeInteger(number) ? number : String(value)
}

/** Empty where the time is none that a date can have. */
function isoTime (timeMs: number): string {
  const date = new Date(timeMs)
  return Number.isNaN(date.getTime()) ? '' : date.toISOString()
}
