import { create, fromBinary } from '@bufbuild/protobuf'
import { MessageRequestSchema, MessageType, type MessageRequest } from './gen/mics/message/v1/message_pb.js'

/** A message between users, as the gateway delivers it. */
export interface ChatMessage {
  /** Chosen by the sender's client: unique only together with `userId` and `deviceId`. */
  readonly msgId: string
  readonly type: 'SINGLE_CHAT' | 'GROUP_CHAT'
  /** The sender. The gateway vouches for it. */
  readonly userId: string
  /** The sender's device. */
  readonly deviceId: string
  /** The recipient of a SINGLE_CHAT message. */
  readonly toUserId: string
  /** The group of a GROUP_CHAT message. */
  readonly groupId: string
  readonly body: Uint8Array
  /** The body as UTF-8 text, with U+FFFD for what is none. */
  readonly text: string
  /** Unix milliseconds: the sender's clock, or the gateway's where the sender gave no time. */
  readonly timestampMs: number
}

/** A message that the tenant kept for a user: a `ChatMessage` as it came in the event, or one like it. */
export interface KeptMessage {
  /** Clients drop repeats by it, so give it as it came. */
  msgId: string
  /** GROUP_CHAT where there is a `groupId` and no `toUserId`, unless given. */
  type?: 'SINGLE_CHAT' | 'GROUP_CHAT'
  /** The sender. */
  userId: string
  /** The sender's device, as it came. */
  deviceId: string
  toUserId?: string
  groupId?: string
  /** Text goes as UTF-8. */
  body: Uint8Array | string
  /** Unix milliseconds. */
  timestampMs: number
}

const textDecoder = new TextDecoder()
const textEncoder = new TextEncoder()

export function toChatMessage (message: MessageRequest): ChatMessage {
  return {
    msgId: message.msgId,
    type: message.msgType === MessageType.GROUP_CHAT ? 'GROUP_CHAT' : 'SINGLE_CHAT',
    userId: message.userId,
    deviceId: message.deviceId,
    toUserId: message.toUserId,
    groupId: message.groupId,
    body: message.msgBody,
    get text () { return textDecoder.decode(message.msgBody) },
    timestampMs: Number(message.timestampMs),
  }
}

/** Throws where the bytes are no serialized MessageRequest. */
export function decodeChatMessage (bytes: Uint8Array): ChatMessage {
  return toChatMessage(fromBinary(MessageRequestSchema, bytes))
}

/** What the gateway is to deliver. The fields must have been looked at: see `answer-checks.ts`. */
export function toMessageRequest (kept: KeptMessage): MessageRequest {
  const { msgId, userId, deviceId, toUserId = '', groupId = '', body, timestampMs } = kept
  const isGroup = kept.type === undefined ? groupId !== '' && toUserId === '' : kept.type === 'GROUP_CHAT'
  return create(MessageRequestSchema, {
    msgId,
    msgType: isGroup ? MessageType.GROUP_CHAT : MessageType.SINGLE_CHAT,
    userId,
    deviceId,
    toUserId,
    groupId,
    msgBody: typeof body === 'string' ? textEncoder.encode(body) : new Uint8Array(body),
    timestampMs: int64(timestampMs),
  })
}

const largest = 2n ** 63n - 1n

/** A client may have sent any int64, and a number holds the largest of them only nearly: one too much. */
function int64 (value: number): bigint {
  const integer = BigInt(Math.trunc(value))
  return integer > largest ? largest : integer < -largest ? -largest : integer
}
