import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import t from 'tap'
import { Kind } from '../../bench/generator/dialect.js'
import { messageIdPlaceholder } from '../../bench/generator/message-template.js'
import { micsDialect } from '../../bench/generator/mics-dialect.js'
import { socketIoDialect } from '../../bench/generator/socket-io-dialect.js'
import {
  AckStatus, ClientFrameSchema, MessageAckSchema, MessageType, ServerFrameSchema, type ServerFrame,
} from '../../lib/gen/mics/message/v1/message_pb.js'

const mics = micsDialect('acme', 'd')

/** The payload of a client's frame. */
function unmasked (frame: Buffer): Buffer {
  const size = frame[1] & 0x7f
  const at = size === 126 ? 4 : 2
  const [mask, payload] = [frame.subarray(at, at + 4), frame.subarray(at + 4)]
  return Buffer.from(payload.map((byte, i) => byte ^ mask[i & 3]))
}

function numbered (template: ReturnType<typeof mics.message>, number: number): Buffer {
  const frame = Buffer.alloc(template.byteLength)
  template.writeTo(frame, 0, number)
  return unmasked(frame)
}

function kindOf (payload: ServerFrame['payload']): Kind {
  const bytes = Buffer.from(toBinary(ServerFrameSchema, create(ServerFrameSchema, { payload })))
  return mics.kindOf(bytes, 0, bytes.length)
}

t.test('messages to the gateway differ in their ids, and in nothing else', async t => {
  for (const bodyBytes of [1, 128, 1024]) {
    const template = mics.message({ to: 'bob', isGroup: false, bodyBytes })
    for (const number of [1, 20, 123_456_789]) {
      const { payload } = fromBinary(ClientFrameSchema, numbered(template, number))
      if (payload.case !== 'message') throw new Error('it is no message')
      const message = payload.value
      t.match(message, {
        toUserId: 'bob',
        groupId: '',
        msgType: MessageType.SINGLE_CHAT,
        msgId: messageIdPlaceholder.slice(0, -9) + String(number).padStart(9, '0'),
      })
      t.equal(Buffer.from(message.msgBody).toString(), 'x'.repeat(bodyBytes))
    }
  }
})

t.test('a message to Socket.IO has the same content, and asks for an ack of its own', async t => {
  const template = socketIoDialect.message({ to: 'g10', isGroup: true, bodyBytes: 3 })
  const id = `${messageIdPlaceholder.slice(0, -9)}000000042`
  t.equal(numbered(template, 42).toString(), `42000000042["message",{"group":"g10","id":"${id}","body":"xxx"}]`)
})

t.test('acks of the gateway are told from each other, whatever else they say', async t => {
  const msgId = messageIdPlaceholder
  t.equal(kindOf({ case: 'ack', value: create(MessageAckSchema, { msgId, timestampMs: 1n }) }), Kind.ACK)
  for (const reason of ['', 'check unavailable', 'x'.repeat(300)]) {
    const value = create(MessageAckSchema, { msgId, status: AckStatus.FAILED, timestampMs: 1n, reason })
    t.equal(kindOf({ case: 'ack', value }), Kind.FAILED)
  }
})

t.test('packets of Socket.IO are told from each other', async t => {
  const kinds = {
    '0{"sid":"a"}': Kind.HELLO,
    '40{"sid":"a"}': Kind.READY,
    '42["message",{}]': Kind.DELIVERY,
    '43000000042[{"ok":true}]': Kind.ACK,
    '44{"message":"invalid token"}': Kind.REFUSED,
    2: Kind.PING,
    6: Kind.OTHER,
  }
  for (const [packet, kind] of Object.entries(kinds)) {
    const bytes = Buffer.from(packet)
    t.equal(socketIoDialect.kindOf(bytes, 0, bytes.length), kind, packet)
  }
})
