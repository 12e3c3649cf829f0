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
  // FNV-1a over the short parts: for a few characters a loop beats the calls into C++.
  let hash = mixed(mixed(0x811c9dc5, msgType), msgBody.length)
  for (let i = 0; i < toUserId.length; i++) hash = mixed(hash, toUserId.charCodeAt(i))
  hash = mixed(hash, 0)
  for (let i = 0; i < groupId.length; i++) hash = mixed(hash, groupId.charCodeAt(i))
  return crc32(msgBody, hash >>> 0) | 0
}

function mixed (hash: number, value: number): number {
  return Math.imul(hash ^ value, 0x01000193)
}
