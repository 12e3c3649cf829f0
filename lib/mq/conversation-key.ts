import { MessageType } from '../gen/mics/message/v1/message_pb.js'
import type { Message } from '../protocol/message.js'

/**
 * The partition key of a message: its group, or its two users in sorted order (by UTF-16 code units, with a colon
 * between). So what both sides of a conversation write is in one partition, in order. A group and a conversation whose
 * keys are the same text share a partition, which harms nobody.
 */
export function conversationKey (
  { msgType, userId, toUserId, groupId }: Pick<Message, 'msgType' | 'userId' | 'toUserId' | 'groupId'>
): string {
  if (msgType === MessageType.GROUP_CHAT) return groupId
  return userId < toUserId ? `${userId}:${toUserId}` : `${toUserId}:${userId}`
}
