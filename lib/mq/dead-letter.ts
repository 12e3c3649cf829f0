import { fromBinary } from '@bufbuild/protobuf'
import { MqEventSchema } from '../gen/mics/hook/v1/hook_pb.js'
import { encodeEvent, signEvent } from './encode-event.js'
import { deadLetterHeaders, eventHeaders } from './event-headers.js'
import type { EventRecord, PublishError } from './event-transport.js'
import type { EncodedEvent } from './mq-event.js'
import type { PendingEvent } from './pending-event.js'

const NO_DATA = Buffer.alloc(0)

/** An event's record for its tenant's topic, signed. */
export function eventRecord (pending: PendingEvent, topic: string): EventRecord {
  sign(pending)
  const { event } = pending
  return { topic, key: event.key, value: event.value, headers: eventHeaders(event) }
}

/**
 * The record for the dead letter topic.
 * @param sentence what was wrong
 * @param eventTopic where it was wrong
 * @param nowMs Unix milliseconds
 */
export function deadLetterRecord (
  pending: PendingEvent, topic: string, sentence: PublishError, eventTopic: string, nowMs: number
): EventRecord {
  const { attempts, isTruncated } = pending
  const record = eventRecord(pending, topic)
  const { reason, message } = sentence
  const headers = deadLetterHeaders({ reason, message, attempts, topic: eventTopic, nowMs, isTruncated })
  return { ...record, headers: [...record.headers, ...headers] }
}

/**
 * Takes event_data off an event that was signed, and the signature with it: what is too large even for the dead letter
 * topic tells the tenant at least which message it was. It may come there after events that were behind it.
 */
export function truncate (pending: PendingEvent): void {
  const { event } = pending
  pending.event = withoutData(event)
  pending.isSigned = false
  pending.isTruncated = true
}

function withoutData ({ value, secret, key, span }: EncodedEvent): EncodedEvent {
  const event = fromBinary(MqEventSchema, value)
  const { tenantId, eventType: type, msgId, userId, deviceId, toUserId, groupId, traceId, timestamp, nodeId } = event
  const ids = { tenantId, msgId, userId, deviceId, toUserId, groupId, traceId }
  return encodeEvent({ ...ids, type, secret, key, span, data: NO_DATA, timestampMs: Number(timestamp) }, nodeId)
}

/** Late, because it costs more than all else that is done for an event, and once. */
function sign (pending: PendingEvent): void {
  if (pending.isSigned) return
  signEvent(pending.event)
  pending.isSigned = true
}
