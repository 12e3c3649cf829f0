import { toBinary } from '@bufbuild/protobuf'
import { ServerFrameSchema, type ServerFrame } from '../gen/mics/message/v1/message_pb.js'
import type { Message } from './message.js'
import {
  MESSAGE_DEVICE_ID, MESSAGE_GROUP_ID, MESSAGE_MSG_BODY, MESSAGE_MSG_ID, MESSAGE_MSG_TYPE, MESSAGE_TENANT_ID,
  MESSAGE_TIMESTAMP_MS, MESSAGE_TO_USER_ID, MESSAGE_USER_ID,
} from './message-tags.js'
import { WireReader } from './wire.js'
import {
  bytesSize, int32Size, int64Size, stringSize, uint32Size, varintSize,
  writeBytes, writeInt32, writeInt64, writeString, writeUint32, writeVarint,
} from './wire-writer.js'

// The encoders return a whole WebSocket frame (RFC 6455, 5.2: FIN, binary, not masked), header and payload in one
// buffer: it is written to the socket as it is, and shared between the sockets of a group. Payloads are byte for byte
// what protobuf-es makes of the same values. By hand, because several of these leave for every message that arrives.

/** MessageAck of mics.message.v1. */
export interface Ack {
  msgId: string
  /** AckStatus: 0 SENT, 1 FAILED. */
  status: number
  /** Whole Unix milliseconds. */
  timestampMs: number
  reason: string
  partialDelivery: boolean
  offlineNotifiedUsers: number
  offlineBufferedUsers: number
  offlineSkippedUsers: number
}

const FIN_BINARY = 0x82
const LENGTH_16 = 126
const LENGTH_64 = 127

// (field number << 3) | wire type.
const FRAME_DELIVERY = 2 << 3 | 2
const FRAME_ACK = 3 << 3 | 2
const FRAME_HEARTBEAT_PONG = 5 << 3 | 2

const DELIVERY_MESSAGE = 1 << 3 | 2

const ACK_MSG_ID = 1 << 3 | 2
const ACK_STATUS = 2 << 3
const ACK_TIMESTAMP_MS = 3 << 3
const ACK_REASON = 4 << 3 | 2
const ACK_PARTIAL_DELIVERY = 5 << 3
const ACK_OFFLINE_NOTIFIED_USERS = 6 << 3
const ACK_OFFLINE_BUFFERED_USERS = 7 << 3
const ACK_OFFLINE_SKIPPED_USERS = 8 << 3

const PONG_TIMESTAMP_MS = 1 << 3

/** The frame that delivers a message. The message's fields are copied: it may change afterwards. */
export function encodeDelivery (message: Message): Buffer {
  const messageLength = messageSize(message)
  const deliveryLength = 1 + varintSize(messageLength) + messageLength
  const length = 1 + varintSize(deliveryLength) + deliveryLength
  const out = allocateFrame(length)
  let pos = writeHeader(out, length)
  out[pos++] = FRAME_DELIVERY
  pos = writeVarint(out, pos, deliveryLength)
  out[pos++] = DELIVERY_MESSAGE
  pos = writeVarint(out, pos, messageLength)
  return full(out, writeMessageRequest(out, pos, message))
}

/** The bare MessageRequest in a frame that `encodeDelivery` made: a view, nothing is encoded or copied. */
export function messageIn (frame: Buffer): Buffer {
  const reader = new WireReader(frame)
  const length = frame[1]
  reader.pos = length < LENGTH_16 ? 2 : length === LENGTH_16 ? 4 : 10
  reader.tag()
  reader.enter()
  reader.tag()
  return reader.view()
}

/** The frame that answers a message. */
export function encodeAck (ack: Ack): Buffer {
  const ackLength = stringSize(ack.msgId) +
    int32Size(ack.status) +
    int64Size(ack.timestampMs) +
    stringSize(ack.reason) +
    (ack.partialDelivery ? 2 : 0) +
    uint32Size(ack.offlineNotifiedUsers) +
    uint32Size(ack.offlineBufferedUsers) +
    uint32Size(ack.offlineSkippedUsers)
  const length = 1 + varintSize(ackLength) + ackLength
  const out = allocateFrame(length)
  let pos = writeHeader(out, length)
  out[pos++] = FRAME_ACK
  pos = writeVarint(out, pos, ackLength)
  pos = writeString(out, pos, ACK_MSG_ID, ack.msgId)
  pos = writeInt32(out, pos, ACK_STATUS, ack.status)
  pos = writeInt64(out, pos, ACK_TIMESTAMP_MS, ack.timestampMs)
  pos = writeString(out, pos, ACK_REASON, ack.reason)
  pos = writeUint32(out, pos, ACK_PARTIAL_DELIVERY, ack.partialDelivery ? 1 : 0)
  pos = writeUint32(out, pos, ACK_OFFLINE_NOTIFIED_USERS, ack.offlineNotifiedUsers)
  pos = writeUint32(out, pos, ACK_OFFLINE_BUFFERED_USERS, ack.offlineBufferedUsers)
  return full(out, writeUint32(out, pos, ACK_OFFLINE_SKIPPED_USERS, ack.offlineSkippedUsers))
}

/** The frame that answers a heartbeat ping; whole Unix milliseconds, our time. */
export function encodePong (timestampMs: number): Buffer {
  const pongLength = int64Size(timestampMs)
  const length = 2 + pongLength
  const out = allocateFrame(length)
  let pos = writeHeader(out, length)
  out[pos++] = FRAME_HEARTBEAT_PONG
  out[pos++] = pongLength
  return full(out, writeInt64(out, pos, PONG_TIMESTAMP_MS, timestampMs))
}

/** Any other frame, by way of protobuf-es: for those that a connection sees once. */
export function encodeServerFrame (frame: ServerFrame): Buffer {
  return frameOf(toBinary(ServerFrameSchema, frame))
}

/** The WebSocket frame around a payload. */
export function frameOf (payload: Uint8Array): Buffer {
  const out = allocateFrame(payload.length)
  const pos = writeHeader(out, payload.length)
  out.set(payload, pos)
  return full(out, pos + payload.length)
}

/** A message as a bare MessageRequest, as hooks, events and peers have it. */
export function encodeMessageRequest (message: Message): Buffer {
  const out = Buffer.allocUnsafe(messageSize(message))
  return full(out, writeMessageRequest(out, 0, message))
}

/** Bytes of a message as a bare MessageRequest. */
export function messageSize (message: Message): number {
  return stringSize(message.tenantId) +
    stringSize(message.userId) +
    stringSize(message.deviceId) +
    stringSize(message.msgId) +
    int32Size(message.msgType) +
    stringSize(message.toUserId) +
    stringSize(message.groupId) +
    bytesSize(message.msgBody) +
    int64Size(message.timestampMs)
}

/** Writes the `messageSize` bytes of a bare MessageRequest; returns the position after them. */
export function writeMessageRequest (out: Buffer, pos: number, message: Message): number {
  pos = writeString(out, pos, MESSAGE_TENANT_ID, message.tenantId)
  pos = writeString(out, pos, MESSAGE_USER_ID, message.userId)
  pos = writeString(out, pos, MESSAGE_DEVICE_ID, message.deviceId)
  pos = writeString(out, pos, MESSAGE_MSG_ID, message.msgId)
  pos = writeInt32(out, pos, MESSAGE_MSG_TYPE, message.msgType)
  pos = writeString(out, pos, MESSAGE_TO_USER_ID, message.toUserId)
  pos = writeString(out, pos, MESSAGE_GROUP_ID, message.groupId)
  pos = writeBytes(out, pos, MESSAGE_MSG_BODY, message.msgBody)
  return writeInt64(out, pos, MESSAGE_TIMESTAMP_MS, message.timestampMs)
}

function allocateFrame (length: number): Buffer {
  return Buffer.allocUnsafe((length < LENGTH_16 ? 2 : length < 0x10000 ? 4 : 10) + length)
}

function writeHeader (out: Buffer, length: number): number {
  out[0] = FIN_BINARY
  if (length < LENGTH_16) {
    out[1] = length
    return 2
  }
  if (length < 0x10000) {
    out[1] = LENGTH_16
    return out.writeUInt16BE(length, 2)
  }
  out[1] = LENGTH_64
  out.writeUInt32BE(Math.floor(length / 0x100000000), 2)
  return out.writeUInt32BE(length >>> 0, 6)
}

/** The buffers come uninitialised: one that was not filled exactly would send other people's data. */
function full (out: Buffer, pos: number): Buffer {
  if (pos !== out.length) throw new Error(`encoded ${pos} bytes where ${out.length} were counted`)
  return out
}
