import { isUtf8 } from 'node:buffer'
import type { MicsError } from '../sdk/client/src/errors.js'
import type { ConnectionState } from '../sdk/client/src/events.js'
import type { IncomingMessage, MessageAck } from '../sdk/client/src/message.js'
import { escapeControls } from './event-lines.js'

/** What happens to a client, as far as it is printed. */
export type ClientEvent =
  | { type: 'connected', state: Extract<ConnectionState, { name: 'connected' }> }
  /** `isRepeat`: this client has had it before, as it may happen when a connection or a node ends. */
  | { type: 'message', message: IncomingMessage, isRepeat: boolean }
  /** One that `mics client` makes itself has no counts. */
  | { type: 'ack', ack: Pick<MessageAck, 'msgId' | 'status' | 'reason'> & Partial<MessageAck> }
  | { type: 'error', error: MicsError }
  /** `retryAt`: Unix milliseconds of the next attempt; undefined: there is none. */
  | { type: 'closed', code: number, reason: string, retryAt?: number }

/** What happened to a client as a line of JSON, with the names of the .proto in snake_case. */
export function clientLine (event: ClientEvent, nowMs = Date.now()): string {
  const fields = { time: new Date(nowMs).toISOString(), type: event.type, ...fieldsOf(event, nowMs) }
  return escapeControls(JSON.stringify(fields))
}

function fieldsOf (event: ClientEvent, nowMs: number): Record<string, unknown> {
  switch (event.type) {
    case 'connected': {
      const { userId, deviceId, nodeId, traceId, url } = event.state
      return { user_id: userId, device_id: deviceId, node_id: nodeId, trace_id: traceId, url }
    }
    case 'message':
      return messageFields(event.message, event.isRepeat)
    case 'ack':
      return ackFields(event.ack)
    case 'error': {
      // The gateway's own code and words, where it is the gateway that complains.
      const { code, message } = event.error.serverError ?? event.error
      return { code, message }
    }
    case 'closed': {
      const { code, reason, retryAt } = event
      return { code, reason, ...(retryAt === undefined ? {} : { reconnect_in_ms: Math.max(0, retryAt - nowMs) }) }
    }
  }
}

function messageFields (message: IncomingMessage, isRepeat: boolean): Record<string, unknown> {
  const { userId, deviceId, msgId, toUserId, groupId, body, timestampMs } = message
  return {
    user_id: userId,
    device_id: deviceId,
    ...(groupId === '' ? { to_user_id: toUserId } : { group_id: groupId }),
    msg_id: msgId,
    ...(isUtf8(body)
      ? { msg_body_text: Buffer.from(body).toString() }
      : { msg_body: Buffer.from(body).toString('base64') }),
    timestamp_ms: timestampMs,
    ...(isRepeat ? { repeat: true } : {}),
  }
}

/** What only messages to groups or to absent users have is left out of the others. */
function ackFields (
  {
    msgId, status, reason, partialDelivery = false,
    offlineNotifiedUsers = 0, offlineBufferedUsers = 0, offlineSkippedUsers = 0,
  }: Extract<ClientEvent, { type: 'ack' }>['ack']
): Record<string, unknown> {
  return {
    msg_id: msgId,
    status,
    reason,
    ...(partialDelivery ? { partial_delivery: true } : {}),
    ...(offlineNotifiedUsers > 0 ? { offline_notified_users: offlineNotifiedUsers } : {}),
    ...(offlineBufferedUsers > 0 ? { offline_buffered_users: offlineBufferedUsers } : {}),
    ...(offlineSkippedUsers > 0 ? { offline_skipped_users: offlineSkippedUsers } : {}),
  }
}
