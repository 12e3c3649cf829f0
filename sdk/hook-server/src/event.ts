import { createHash } from 'node:crypto'
import { fromBinary } from '@bufbuild/protobuf'
import { decodeChatMessage, type ChatMessage } from './chat-message.js'
import { EventType, MqEventSchema } from './gen/mics/hook/v1/hook_pb.js'

export type EventTypeName =
  | 'CONNECT_ONLINE' | 'CONNECT_OFFLINE' | 'SINGLE_CHAT_MSG' | 'GROUP_CHAT_MSG' | 'OFFLINE_MESSAGE'

/** What happened in the gateway. */
export interface GatewayEvent {
  /** Of a newer gateway it may be another: its number, as text. Pass over what you do not know. */
  readonly type: EventTypeName | (string & {})
  readonly tenantId: string
  /** The device that connected, or the sender's. */
  readonly userId: string
  readonly deviceId: string
  /** Of messages. */
  readonly msgId: string
  /** The recipient; for OFFLINE_MESSAGE the absent one, also where the message is to a group. */
  readonly toUserId: string
  readonly groupId: string
  /** Of message events; missing in a dead letter that was too large. */
  readonly message?: ChatMessage
  /** The message as it came. Keep these bytes to return them from `getOfflineMessages`. */
  readonly messageBytes?: Uint8Array
  /** Unix milliseconds, the gateway's clock: when it was published. */
  readonly timestampMs: number
  /** The node of the gateway that it comes from. */
  readonly nodeId: string
  /** The same for all that happened on one connection, for its hook calls and in its `connect_ack`. */
  readonly traceId: string
  /**
   * The same when the event comes again, and at most 500 characters long: the unique key of a table. Longer ids than
   * fit are in it as a hash.
   */
  readonly identity: string
  /** Does it come from the dead letter topic? It may be late, and out of order. */
  readonly isDeadLetter: boolean
  /** Why it went to the dead letter topic. */
  readonly deadLetter?: DeadLetter
  /** Unix milliseconds; of an event that was a dead letter and was published again. */
  readonly replayedAtMs?: number
}

export interface DeadLetter {
  /** Kafka's name of the error, such as MSG_SIZE_TOO_LARGE. */
  readonly reason: string
  /** The error in words. */
  readonly message: string
  /** How often it was tried to publish the event. */
  readonly attempts: number
  /** The topic that would not take it. */
  readonly topic: string
  /** Unix milliseconds. */
  readonly failedAtMs: number
  /** It was too large for the dead letter topic too: `message` is missing. */
  readonly isTruncated: boolean
}

/** The headers of a record: text or bytes; of a name that is there more than once, all. */
export type EventHeaders = Readonly<Record<string, HeaderValue | readonly HeaderValue[] | undefined>>

type HeaderValue = string | Uint8Array

const textDecoder = new TextDecoder()

const messageTypes: readonly string[] = ['SINGLE_CHAT_MSG', 'GROUP_CHAT_MSG', 'OFFLINE_MESSAGE']

/** Throws where the bytes are no event, or its message is none. */
export function decodeEvent (bytes: Uint8Array, headers: EventHeaders): GatewayEvent {
  const event = fromBinary(MqEventSchema, bytes, { readUnknownFields: false })
  const type = EventType[event.eventType] ?? String(event.eventType)
  const { tenantId, userId, deviceId, msgId, toUserId, groupId, nodeId, traceId } = event
  const replayedAt = headerText(headers, 'mics-replayed-at')
  const deadLetter = deadLetterOf(headers)
  const hasMessage = messageTypes.includes(type) && deadLetter?.isTruncated !== true
  return {
    type,
    tenantId,
    userId,
    deviceId,
    msgId,
    toUserId,
    groupId,
    nodeId,
    traceId,
    timestampMs: Number(event.timestamp),
    ...(hasMessage ? { message: decodeChatMessage(event.eventData), messageBytes: event.eventData } : {}),
    identity: identityOf(type, { tenantId, userId, deviceId, msgId, toUserId, traceId }),
    isDeadLetter: deadLetter !== undefined,
    ...(deadLetter === undefined ? {} : { deadLetter }),
    ...(replayedAt === undefined ? {} : { replayedAtMs: Number(replayedAt) }),
  }
}

const MAX_IDENTITY = 500

/** See "Deduplicate" in docs/events.md. */
function identityOf (
  type: string, event: Pick<GatewayEvent, 'tenantId' | 'userId' | 'deviceId' | 'msgId' | 'toUserId' | 'traceId'>
): string {
  const { tenantId, userId, deviceId, msgId, toUserId, traceId } = event
  const isConnection = type.startsWith('CONNECT_')
  const parts = isConnection ? [traceId] : [userId, deviceId, msgId, ...(type === 'OFFLINE_MESSAGE' ? [toUserId] : [])]
  const identity = JSON.stringify([tenantId, type, ...parts])
  if (identity.length <= MAX_IDENTITY) return identity
  return `${type} ${createHash('sha256').update(identity).digest('hex')}`
}

function deadLetterOf (headers: EventHeaders): DeadLetter | undefined {
  const text = (name: string): string => headerText(headers, `mics-dlq-${name}`) ?? ''
  if (!Object.keys(headers).some(name => name.startsWith('mics-dlq-'))) return undefined
  return {
    reason: text('reason'),
    message: text('message'),
    attempts: Number(text('attempts')),
    topic: text('topic'),
    failedAtMs: Number(text('failed-at')),
    isTruncated: text('truncated') === 'true',
  }
}

function headerText (headers: EventHeaders, name: string): string | undefined {
  const value = headers[name]
  const last = (Array.isArray(value) ? value.at(-1) : value) as HeaderValue | undefined
  return last instanceof Uint8Array ? textDecoder.decode(last) : last
}
