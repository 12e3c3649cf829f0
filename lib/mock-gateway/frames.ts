import { create, toBinary } from '@bufbuild/protobuf'
import {
  ConnectAckSchema, HeartbeatPongSchema, MessageAckSchema, MessageDeliverySchema, MessageRequestSchema,
  ServerErrorSchema, ServerFrameSchema, type AckStatus,
} from '../gen/mics/message/v1/message_pb.js'
import type { Message } from '../protocol/message.js'

// The mock is no hot path, and its bytes come from the library: so it is no second home of the gateway's own codec.

export interface Outcome {
  status: AckStatus
  reason: string
  bufferedUsers?: number
}

export function connectAckFrame (
  ids: { tenantId: string, userId: string, deviceId: string, traceId: string }
): Uint8Array {
  const value = create(ConnectAckSchema, { ...ids, code: 1000, nodeId: 'mock' })
  return encoded({ case: 'connectAck', value })
}

export function deliveryFrame (
  { tenantId, userId, deviceId, msgId, msgType, toUserId, groupId, msgBody, timestampMs }: Message
): Uint8Array {
  const fields = { tenantId, userId, deviceId, msgId, msgType, toUserId, groupId, msgBody, timestampMs }
  const message = create(MessageRequestSchema, fields)
  return encoded({ case: 'delivery', value: create(MessageDeliverySchema, { message }) })
}

export function ackFrame (msgId: string, { status, reason, bufferedUsers = 0 }: Outcome): Uint8Array {
  const timestampMs = BigInt(Date.now())
  const value = create(MessageAckSchema, { msgId, status, reason, timestampMs, offlineBufferedUsers: bufferedUsers })
  return encoded({ case: 'ack', value })
}

export function errorFrame (code: number, message: string): Uint8Array {
  return encoded({ case: 'error', value: create(ServerErrorSchema, { code, message }) })
}

export function pongFrame (): Uint8Array {
  return encoded({ case: 'heartbeatPong', value: create(HeartbeatPongSchema, { timestampMs: BigInt(Date.now()) }) })
}

function encoded (payload: Exclude<Parameters<typeof create<typeof ServerFrameSchema>>[1], undefined>['payload']): Uint8Array {
  return toBinary(ServerFrameSchema, create(ServerFrameSchema, { payload }))
}

/** Fields 1001 to 1005, of every wire type: varint, 64 bits, bytes, a group with a field in it, 32 bits. */
const UNKNOWN = Buffer.from('c83e9601' + 'd13e0102030405060708' + 'da3e026869' + 'e33e0801e43e' + 'ed3e01020304', 'hex')

/** The frame with unknown fields at the end of its payload, and at its own. */
export function withUnknownFields (frame: Uint8Array): Uint8Array {
  // One byte of tag, a length, and the payload, which is all the rest: so the mock itself encodes it.
  let start = 1
  while (frame[start++] > 0x7f);
  const payload = Buffer.concat([frame.subarray(start), UNKNOWN])
  return Buffer.concat([frame.subarray(0, 1), varint(payload.length), payload, UNKNOWN])
}

function varint (value: number): Buffer {
  const bytes: number[] = []
  for (; value > 0x7f; value >>>= 7) bytes.push((value & 0x7f) | 0x80)
  return Buffer.from([...bytes, value])
}
