import { type MessageInitShape } from '@bufbuild/protobuf'
import { ClientFrameSchema, MessageRequestSchema, MessageType } from '../../lib/gen/mics/message/v1/message_pb.js'
import { canonical, decodable, invalidAnywhere, type FrameCase } from './frame-cases.js'
import { bytesField, unknownFields, varint, varintField } from './wire.js'

const hello = { msgId: 'm-1', toUserId: 'bob', msgBody: Buffer.from('hello'), timestampMs: 1700000000000n }

/** MessageRequests that every encoder must be able to write. */
export const messages: [name: string, message: MessageInitShape<typeof MessageRequestSchema>][] = [
  ['a message to one user', hello],
  ['a message to a group', { msgId: 'm-2', msgType: MessageType.GROUP_CHAT, groupId: 'team', msgBody: Buffer.from('hi all'), timestampMs: 1700000000001n }],
  ['every field', {
    tenantId: 'acme', userId: 'alice', deviceId: 'phone', msgId: 'm-3', msgType: MessageType.GROUP_CHAT, toUserId: 'bob', groupId: 'team', msgBody: Buffer.from('00ff', 'hex'), timestampMs: 1700000000002n,
  }],
  ['an empty body', { msgId: 'm-4', toUserId: 'bob', timestampMs: 1700000000003n }],
  ['a body of every byte', { msgId: 'm-5', toUserId: 'bob', msgBody: Uint8Array.from({ length: 256 }, (_, byte) => byte) }],
  ['a body whose length takes two bytes', { msgId: 'm-6', toUserId: 'bob', msgBody: Buffer.alloc(200, 'x') }],
  ['ids of two, three and four bytes a character', { msgId: 'ü-鍵-😀', toUserId: 'José 李雷 👩‍👩‍👧', msgBody: Buffer.from('😀') }],
  ['U+FEFF at the beginning of an id, which is part of it', { msgId: '\ufeffm-7', toUserId: '\ufeff' }],
  ['NUL and control characters in an id', { msgId: 'm\u0000\u001f\u007f', toUserId: 'b\nob' }],
  ['no time', { msgId: 'm-8', toUserId: 'bob' }],
  ['a time before 1970', { ...hello, timestampMs: -1n }],
  ['the largest time that a double holds exactly', { ...hello, timestampMs: 9007199254740991n }],
  ['a time that a double does not hold exactly', { ...hello, timestampMs: 9007199254740993n }],
  ['the largest int64', { ...hello, timestampMs: 9223372036854775807n }],
  ['the smallest int64', { ...hello, timestampMs: -9223372036854775808n }],
  ['a message without anything', {}],
]

const request = Buffer.concat([bytesField(4, 'm-1'), bytesField(6, 'bob'), bytesField(8, 'hello'), varintField(9, 1700000000000n)])

export function clientFrames (): object {
  return {
    description: 'mics.message.v1.ClientFrame: what a client sends. canonical: an encoder makes these bytes of these fields. Otherwise only the way from bytes to fields counts. invalid: no ClientFrame; where lenient is set, libraries differ.',
    message: 'mics.message.v1.ClientFrame',
    cases: cases(),
    invalid: [
      ...invalidAnywhere(),
      { name: 'no bytes at all: no payload', bytes: '', lenient: true },
      { name: 'only unknown fields: no payload', bytes: unknownFields.toString('hex'), lenient: true },
      { name: 'a message that is a varint', bytes: varintField(1, 5).toString('hex'), lenient: true },
      { name: 'a msg_id that is a varint', bytes: bytesField(1, varintField(4, 5)).toString('hex'), lenient: true },
      { name: 'a time that is bytes', bytes: bytesField(1, bytesField(9, '1')).toString('hex'), lenient: true },
      { name: 'a msg_id that is no UTF-8', bytes: bytesField(1, bytesField(4, Buffer.from('6dff', 'hex'))).toString('hex'), lenient: true },
      { name: 'a msg_id with a lone surrogate', bytes: bytesField(1, bytesField(4, Buffer.from('eda0bd', 'hex'))).toString('hex'), lenient: true },
    ],
  }
}

function cases (): FrameCase[] {
  const frame = (name: string, bytes: Uint8Array): FrameCase => decodable(ClientFrameSchema, name, bytes)
  return [
    ...messages.map(([name, value]) => canonical(ClientFrameSchema, name, { payload: { case: 'message', value } })),
    canonical(ClientFrameSchema, 'a heartbeat', { payload: { case: 'heartbeatPing', value: { timestampMs: 1700000000000n } } }),
    canonical(ClientFrameSchema, 'a heartbeat without a time', { payload: { case: 'heartbeatPing', value: {} } }),
    canonical(ClientFrameSchema, 'a heartbeat before 1970', { payload: { case: 'heartbeatPing', value: { timestampMs: -1700000000000n } } }),
    frame('unknown fields in the message and in the frame', Buffer.concat([bytesField(1, Buffer.concat([unknownFields, request])), unknownFields])),
    frame('unknown fields first', Buffer.concat([unknownFields, bytesField(1, request)])),
    frame('fields in another order', bytesField(1, Buffer.concat([varintField(9, 7), bytesField(8, 'x'), bytesField(6, 'bob'), bytesField(4, 'm')]))),
    frame('a field twice: the last one counts', bytesField(1, Buffer.concat([request, bytesField(4, 'm-9'), varintField(9, 9)]))),
    frame('the payload in two parts, which are merged', Buffer.concat([bytesField(1, bytesField(4, 'm-1')), bytesField(1, bytesField(6, 'bob'))])),
    frame('two payloads: the last one counts', Buffer.concat([bytesField(1, request), bytesField(2, varintField(1, 3))])),
    frame('two payloads, the other way round', Buffer.concat([bytesField(2, varintField(1, 3)), bytesField(1, request)])),
    frame('defaults that are written all the same', bytesField(1, Buffer.concat([bytesField(1, ''), varintField(5, 0), bytesField(7, ''), request, varintField(9, 0)]))),
    frame('a type of message that nobody knows yet', bytesField(1, Buffer.concat([request, varintField(5, 7)]))),
    frame('a negative type of message', bytesField(1, Buffer.concat([request, varintField(5, -1)]))),
    frame('a length in more bytes than it needs', Buffer.concat([Buffer.from('0a', 'hex'), Buffer.from([request.length | 0x80, 0x80, 0x00]), request])),
    frame('a time in more bytes than it needs', bytesField(1, Buffer.concat([request, varint(9 << 3), Buffer.from('878000', 'hex')]))),
  ]
}
