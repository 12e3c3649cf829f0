import { isUtf8 } from 'node:buffer'
import type { ClientEvent } from '../lib/chat-client/chat-client.js'
import { AckStatus, MessageType, type MessageAck, type MessageRequest } from '../lib/gen/mics/message/v1/message_pb.js'
import { escapeControls } from './event-lines.js'

/** What happened to a client as a line of JSON, with the names of the .proto in snake_case. */
export function clientLine (event: ClientEvent, nowMs = Date.now()): string {
  return escapeControls(JSON.stringify({ time: new Date(nowMs).toISOString(), type: event.type, ...fieldsOf(event) }))
}

function fieldsOf (event: ClientEvent): Record<string, unknown> {
  switch (event.type) {
    case 'connected': {
      const { userId, deviceId, nodeId, traceId } = event.connectAck
      return { user_id: userId, device_id: deviceId, node_id: nodeId, trace_id: traceId, url: event.url }
    }
    case 'message':
      return messageFields(event.message, event.isRepeat)
    case 'ack':
      return ackFields(event.ack)
    case 'error':
      return { code: event.error.code, message: event.error.message }
    case 'closed': {
      const { code, reason, retryMs } = event
      return { code, reason, ...(retryMs === undefined ? {} : { reconnect_in_ms: retryMs }) }
    }
  }
}

function messageFields (message: MessageRequest, isRepeat: boolean): Record<string, unknown> {
  const { userId, deviceId, msgId, msgType, toUserId, groupId, msgBody, timestampMs } = message
  return {
    user_id: userId,
    device_id: deviceId,
    ...(msgType === MessageType.GROUP_CHAT ? { group_id: groupId } : { to_user_id: toUserId }),
    msg_id: msgId,
    ...(isUtf8(msgBody)
      ? { msg_body_text: Buffer.from(msgBody).toString() }
      : { msg_body: Buffer.from(msgBody).toString('base64') }),
    timestamp_ms: Number(timestampMs),
    ...(isRepeat ? { repeat: true } : {}),
  }
}

/** What only messages to groups or to absent users have is left out of the others. */
function ackFields (ack: MessageAck): Record<string, unknown> {
  const { offlineNotifiedUsers, offlineBufferedUsers, offlineSkippedUsers } = ack
  return {
    msg_id: ack.msgId,
    status: AckStatus[ack.status] ?? String(ack.status),
    reason: ack.reason,
    ...(ack.partialDelivery ? { partial_delivery: true } : {}),
    ...(offlineNotifiedUsers > 0 ? { offline_notified_users: offlineNotifiedUsers } : {}),
    ...(offlineBufferedUsers > 0 ? { offline_buffered_users: offlineBufferedUsers } : {}),
    ...(offlineSkippedUsers > 0 ? { offline_skipped_users: offlineSkippedUsers } : {}),
  }
}
