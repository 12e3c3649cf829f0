import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import type { Message } from '../protocol/message.js'

/** Longer ids are remembered by their hash, so that an entry has a bounded size. */
const MAX_KEY_LENGTH = 256

/**
 * Sender, device and msg_id in one string, at most 256 characters long.
 * Joined, not concatenated: that makes a flat string, a third smaller than a rope.
 */
export function keyOf (message: Pick<Message, 'userId' | 'deviceId' | 'msgId'>): string {
  const key = [message.userId, message.deviceId, message.msgId].join('\0')
  return key.length <= MAX_KEY_LENGTH ? key : createHash('sha256').update(key).digest('base64')
}

/**
 * What makes two messages the same: type, recipient and body. Not the timestamp, which a client may set anew when it
 * sends again. A checksum, not the content: a client that reuses an id can only fool itself.
 */
export function fingerprintOf ({ msgType, toUserId, groupId, msgBody }: Message): number {
  return crc32(`${msgType}\0${toUserId}\0${groupId}\0${msgBody.length}`, crc32(msgBody)) | 0
}
