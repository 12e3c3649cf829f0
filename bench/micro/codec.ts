import { create, fromBinary, toBinary, type MessageInitShape } from '@bufbuild/protobuf'
import {
  ClientFrameSchema, HeartbeatPongSchema, MessageAckSchema, MessageDeliverySchema, MessageRequestSchema,
  ServerFrameSchema,
} from '../../lib/gen/mics/message/v1/message_pb.js'
import { decodeClientFrame } from '../../lib/protocol/client-frame.js'
import type { Message } from '../../lib/protocol/message.js'
import { encodeAck, encodeDelivery, encodePong, frameOf, type Ack } from '../../lib/protocol/server-frame.js'
import { decodeServerFrame } from '../../sdk/client/src/frames.js'
import { calls, expectKept, type Block } from './measure.js'

/** What the codecs written by hand cost beside protobuf-es: of the gateway, and of the client for browsers. */
export async function codec (run: (blocks: Block[]) => Promise<void>): Promise<void> {
  await run([
    ...[128, 1024].flatMap(bodyBytes => [
      decodeMessage(bodyBytes), encodeMessage(bodyBytes), decodeDelivery(bodyBytes),
    ]),
    encodeAnAck(), decodeAnAck(), decodePing(), encodeAPong(),
  ])
  expectKept()
}

function message (bodyBytes: number): Message {
  return {
    tenantId: 'acme',
    userId: 'user-100023',
    deviceId: 'web-7f3a91',
    msgId: '0195d2c4-7a1e-7c3b-9d55-2f6e8a1b4c70',
    msgType: 0,
    toUserId: 'user-200046',
    groupId: '',
    msgBody: Buffer.alloc(bodyBytes, 'hello '),
    timestampMs: 1_760_000_000_123n,
  }
}

const ACK: Ack = {
  msgId: '0195d2c4-7a1e-7c3b-9d55-2f6e8a1b4c70',
  status: 0,
  timestampMs: 1_760_000_000_123,
  reason: '',
  partialDelivery: false,
  offlineNotifiedUsers: 0,
  offlineBufferedUsers: 1,
  offlineSkippedUsers: 0,
}

function contest (title: string, byHand: () => unknown, generated: () => unknown): Block {
  return { title, op: 'a frame', subjects: [calls('by hand', byHand), calls('protobuf-es', generated)] }
}

function clientFrame (payload: MessageInitShape<typeof ClientFrameSchema>['payload']): Buffer {
  return Buffer.from(toBinary(ClientFrameSchema, create(ClientFrameSchema, { payload })))
}

function serverFrame (payload: MessageInitShape<typeof ServerFrameSchema>['payload']): Uint8Array {
  return toBinary(ServerFrameSchema, create(ServerFrameSchema, { payload }))
}

function decodeMessage (bodyBytes: number): Block {
  const frame = clientFrame({ case: 'message', value: create(MessageRequestSchema, message(bodyBytes)) })
  return contest(`gateway: decode a message, body ${bodyBytes} B`,
    () => decodeClientFrame(frame), () => fromBinary(ClientFrameSchema, frame))
}

function encodeMessage (bodyBytes: number): Block {
  const ours = message(bodyBytes)
  const theirs = create(MessageRequestSchema, ours)
  return contest(`gateway: encode a delivery, body ${bodyBytes} B`, () => encodeDelivery(ours), () => frameOf(
    serverFrame({ case: 'delivery', value: create(MessageDeliverySchema, { message: theirs }) })))
}

function decodeDelivery (bodyBytes: number): Block {
  const frame = serverFrame({ case: 'delivery', value: { message: message(bodyBytes) } })
  return contest(`client: decode a delivery, body ${bodyBytes} B`,
    () => decodeServerFrame(frame), () => fromBinary(ServerFrameSchema, frame))
}

function encodeAnAck (): Block {
  const theirs = { ...ACK, timestampMs: BigInt(ACK.timestampMs) }
  return contest('gateway: encode an ack', () => encodeAck(ACK),
    () => frameOf(serverFrame({ case: 'ack', value: create(MessageAckSchema, theirs) })))
}

function decodeAnAck (): Block {
  const frame = serverFrame({ case: 'ack', value: { ...ACK, timestampMs: BigInt(ACK.timestampMs) } })
  return contest('client: decode an ack', () => decodeServerFrame(frame), () => fromBinary(ServerFrameSchema, frame))
}

function decodePing (): Block {
  const frame = clientFrame({ case: 'heartbeatPing', value: { timestampMs: 1_760_000_000_123n } })
  return contest('gateway: decode a ping', () => decodeClientFrame(frame), () => fromBinary(ClientFrameSchema, frame))
}

function encodeAPong (): Block {
  return contest('gateway: encode a pong', () => encodePong(1_760_000_000_123), () => frameOf(
    serverFrame({ case: 'heartbeatPong', value: create(HeartbeatPongSchema, { timestampMs: 1_760_000_000_123n }) })))
}
