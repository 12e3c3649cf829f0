import { MessageType } from '../gen/mics/message/v1/message_pb.js'
import type { Message } from '../protocol/message.js'
import type { SpanAttributes } from './span.js'

/** What a span says of a message: whose it is, never what is in it. */
export function messageAttributes (message: Message): SpanAttributes {
  const { tenantId, msgId, msgType, userId, deviceId } = message
  return {
    'mics.tenant_id': tenantId,
    'mics.msg_id': msgId,
    'mics.user_id': userId,
    'mics.device_id': deviceId,
    'mics.target': msgType === MessageType.GROUP_CHAT ? 'group' : 'user',
  }
}
