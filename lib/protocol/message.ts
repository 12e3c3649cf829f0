import type { TraceRecord } from '../message-trace/trace-record.js'
import type { MessageSpan } from '../tracing/message-span.js'

/** Characters of a message's ids together. One with longer ones is not traced: it would keep them all. */
export const MAX_TRACED_IDS_LENGTH = 1024

/**
 * A chat message on its way through the gateway: MessageRequest of mics.message.v1, decoded by hand because every
 * message passes here. Same fields and meaning as the generated type.
 */
export interface Message {
  tenantId: string
  userId: string
  deviceId: string
  msgId: string
  /** MessageType, or a number this version does not know. */
  msgType: number
  toUserId: string
  groupId: string
  /** Opaque; may share memory with the frame it came in. */
  msgBody: Uint8Array
  /** Unix milliseconds; int64, so a bigint. */
  timestampMs: bigint
  /** When it was taken up from its client, in milliseconds of `performance.now()`. Never sent anywhere. */
  receivedAt?: number
  /** Where what becomes of it is noted, as long as that still has the ticket. Never sent anywhere. */
  trace?: TraceRecord
  traceTicket?: number
  /** Where it is traced: its span at its sender's node, until it has been answered. Never sent anywhere. */
  span?: MessageSpan
}

export function idsLength ({ msgId, userId, deviceId, toUserId, groupId }: Message): number {
  return msgId.length + userId.length + deviceId.length + toUserId.length + groupId.length
}
