import { create, toBinary, type MessageInitShape } from '@bufbuild/protobuf'
import { AckStatus, MessageAckSchema, ServerFrameSchema } from '../../lib/gen/mics/message/v1/message_pb.js'
import { messages } from './client-frames.js'
import { canonical, decodable, invalidAnywhere, type FrameCase } from './frame-cases.js'
import { bytesField, unknownFields, varintField } from './wire.js'

type Payload = NonNullable<MessageInitShape<typeof ServerFrameSchema>['payload']>

const acks: [name: string, ack: MessageInitShape<typeof MessageAckSchema>][] = [
  ['an ack: sent', { msgId: 'm-1', timestampMs: 1700000000100n }],
  ['an ack: sent before', { msgId: 'm-1', timestampMs: 1700000000100n, reason: 'duplicate' }],
  ['an ack: failed', { msgId: 'm-2', status: AckStatus.FAILED, timestampMs: 1700000000100n, reason: 'tenant qps limited' }],
  ['an ack: failed, in the tenant\'s own words', { msgId: 'm-2', status: AckStatus.FAILED, reason: '发送太快了 😀' }],
  ['an ack: every field', {
    msgId: 'm-3', status: AckStatus.FAILED, timestampMs: 1700000000100n, reason: 'r', partialDelivery: true, offlineNotifiedUsers: 1, offlineBufferedUsers: 200, offlineSkippedUsers: 4294967295,
  }],
  ['an ack without anything', {}],
]

const payloads: [name: string, payload: Payload][] = [
  ['a connect_ack', { case: 'connectAck', value: { code: 1000, tenantId: 'acme', userId: 'alice', deviceId: 'phone', nodeId: 'node-1', traceId: '0123456789abcdef0123456789abcdef' } }],
  ['a connect_ack with a negative code', { case: 'connectAck', value: { code: -1, userId: 'José 李雷' } }],
  ['a connect_ack without anything', { case: 'connectAck', value: {} }],
  ...messages.map(([name, message]): [string, Payload] => [`a delivery: ${name}`, { case: 'delivery', value: { message } }]),
  ['a delivery without a message', { case: 'delivery', value: {} }],
  ...acks.map(([name, value]): [string, Payload] => [name, { case: 'ack', value }]),
  ['an error', { case: 'error', value: { code: 4400, message: 'not a ClientFrame' } }],
  ['a pong', { case: 'heartbeatPong', value: { timestampMs: 1700000000200n } }],
  ['a pong without a time', { case: 'heartbeatPong', value: {} }],
]

export function serverFrames (): object {
  return {
    description: 'mics.message.v1.ServerFrame: what the gateway sends. canonical: an encoder makes these bytes of these fields. Otherwise only the way from bytes to fields counts. A frame without a known payload is one of a kind that the client does not know yet: it goes on. invalid: no ServerFrame; where lenient is set, libraries differ.',
    message: 'mics.message.v1.ServerFrame',
    cases: [
      ...payloads.map(([name, payload]) => canonical(ServerFrameSchema, name, { payload })),
      ...others(),
    ],
    invalid: [
      ...invalidAnywhere(),
      { name: 'an ack that is a varint', bytes: varintField(3, 5).toString('hex'), lenient: true },
      { name: 'a msg_id that is no UTF-8', bytes: bytesField(3, bytesField(1, Buffer.from('6dff', 'hex'))).toString('hex'), lenient: true },
    ],
  }
}

function others (): FrameCase[] {
  const frame = (name: string, bytes: Uint8Array): FrameCase => decodable(ServerFrameSchema, name, bytes)
  const ack = toBinary(MessageAckSchema, create(MessageAckSchema, { msgId: 'm-1', timestampMs: 5n }))
  return [
    frame('no bytes at all', Buffer.alloc(0)),
    frame('a kind of frame that nobody knows yet', bytesField(1001, bytesField(1, 'hello'))),
    frame('a kind of frame that nobody knows yet, a number', varintField(1001, 1)),
    frame('an ack with unknown fields in it and beside it', Buffer.concat([unknownFields, bytesField(3, Buffer.concat([ack, unknownFields])), unknownFields])),
    frame('an ack with a status that nobody knows yet', bytesField(3, Buffer.concat([ack, varintField(2, 9)]))),
    frame('an ack with partial_delivery as 2, which is true', bytesField(3, Buffer.concat([ack, varintField(5, 2)]))),
    frame('an ack with its fields in another order', bytesField(3, Buffer.concat([varintField(8, 1), bytesField(4, 'duplicate'), ack]))),
    frame('two payloads: the last one counts', Buffer.concat([bytesField(3, ack), bytesField(5, varintField(1, 3))])),
    frame('an ack in two parts, which are merged', Buffer.concat([bytesField(3, bytesField(1, 'm-1')), bytesField(3, varintField(3, 5))])),
    frame('a delivery in two parts, which are merged', Buffer.concat([bytesField(2, bytesField(1, bytesField(4, 'm-1'))), bytesField(2, bytesField(1, bytesField(8, 'hello')))])),
  ]
}
