import { EventType } from '../gen/mics/hook/v1/hook_pb.js'
import { TRACEPARENT, unsampledTraceparent } from '../tracing/traceparent.js'
import type { EventRecord } from './event-transport.js'
import type { EncodedEvent } from './mq-event.js'

type Headers = EventRecord['headers']

/** What a record's consumer may want to know before it decodes, or instead. */
export const TENANT_ID = 'mics-tenant-id'
export const EVENT_TYPE = 'mics-event-type'

/** Every header that a dead letter has and its event had not begins like this. */
export const DEAD_LETTER_PREFIX = 'mics-dlq-'
export const DLQ_REASON = 'mics-dlq-reason'
export const DLQ_MESSAGE = 'mics-dlq-message'
export const DLQ_ATTEMPTS = 'mics-dlq-attempts'
export const DLQ_TOPIC = 'mics-dlq-topic'
export const DLQ_FAILED_AT = 'mics-dlq-failed-at'
export const DLQ_TRUNCATED = 'mics-dlq-truncated'

/** Unix milliseconds. On an event that was a dead letter and was published again. */
export const REPLAYED_AT = 'mics-replayed-at'

/** Characters. */
const MAX_ERROR_MESSAGE = 512

/** Why an event became a dead letter. */
export interface DeadLetterReason {
  /** The broker's or client's own name of the error, such as MSG_SIZE_TOO_LARGE. */
  reason: string
  /** The error in words; cut to 512 characters. */
  message: string
  /** How often it was tried to publish the event. */
  attempts: number
  /** The topic that would not take it. */
  topic: string
  /** Unix milliseconds. */
  nowMs: number
  /** The record's value is not the event as it was: event_data had to go for it to fit. */
  isTruncated: boolean
}

/**
 * The headers of an event's record. `traceparent` (W3C Trace Context, level 1) continues the connection's trace with a
 * span of its own; its flag says whether that is recorded. It is left out where the trace id is none by that standard.
 */
export function eventHeaders ({ traceId, tenantId, type, span }: EncodedEvent): Headers {
  const headers: [string, string][] = []
  const traceparent = span?.traceparent ?? unsampledTraceparent(traceId)
  if (traceparent !== undefined) headers.push([TRACEPARENT, traceparent])
  headers.push([TENANT_ID, tenantId], [EVENT_TYPE, EventType[type] ?? String(type)])
  return headers
}

/** Reads what `deadLetterHeaders` wrote. Undefined: none of it is there. */
export function readDeadLetterHeaders (headers: Headers): DeadLetterReason | undefined {
  const values = new Map(headers)
  if (!headers.some(([name]) => name.startsWith(DEAD_LETTER_PREFIX))) return undefined
  return {
    reason: values.get(DLQ_REASON) ?? '',
    message: values.get(DLQ_MESSAGE) ?? '',
    attempts: Number(values.get(DLQ_ATTEMPTS) ?? 0),
    topic: values.get(DLQ_TOPIC) ?? '',
    nowMs: Number(values.get(DLQ_FAILED_AT) ?? 0),
    isTruncated: values.get(DLQ_TRUNCATED) === 'true',
  }
}

/** The headers that a dead letter has beside those of its event. */
export function deadLetterHeaders (why: DeadLetterReason): Headers {
  const headers: [string, string][] = [
    [DLQ_REASON, why.reason],
    [DLQ_MESSAGE, why.message.slice(0, MAX_ERROR_MESSAGE)],
    [DLQ_ATTEMPTS, String(why.attempts)],
    [DLQ_TOPIC, why.topic],
    [DLQ_FAILED_AT, String(why.nowMs)],
  ]
  if (why.isTruncated) headers.push([DLQ_TRUNCATED, 'true'])
  return headers
}
