/** A conversation's name: `#group`, or the other person's. */
export function conversationOf (message) {
  if (message.groupId !== '') return `#${message.groupId}`
  // Our own messages, also those from another device of ours, are to somebody else.
  return message.isOwn ? message.toUserId : message.userId
}

/** Whom a message in a conversation is for. */
export function recipientOf (conversation) {
  return conversation.startsWith('#') ? { groupId: conversation.slice(1) } : { toUserId: conversation }
}
