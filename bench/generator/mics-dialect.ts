import { create, toBinary } from '@bufbuild/protobuf'
import { ClientFrameSchema, MessageType } from '../../lib/gen/mics/message/v1/message_pb.js'
import { Kind, type Dialect } from './dialect.js'
import { MessageTemplate, messageIdPlaceholder } from './message-template.js'
import { clientFrame } from './raw-socket.js'

// The tags of ServerFrame's payload, and of what the generator looks at within an ack.
const CONNECT_ACK = 1 << 3 | 2
const DELIVERY = 2 << 3 | 2
const ACK = 3 << 3 | 2
const ACK_MSG_ID = 1 << 3 | 2
const ACK_STATUS = 2 << 3

const heartbeat = clientFrame(toBinary(ClientFrameSchema, create(ClientFrameSchema, {
  payload: { case: 'heartbeatPing', value: {} },
})), 'binary')

export function micsDialect (tenantId: string, deviceId: string): Dialect {
  return {
    path: user => `/ws?tenantId=${tenantId}&deviceId=${deviceId}&token=valid:${user}`,
    kindOf: (bytes, start) => {
      switch (bytes[start]) {
        case CONNECT_ACK: return Kind.READY
        case DELIVERY: return Kind.DELIVERY
        case ACK: return hasFailed(bytes, start + 1) ? Kind.FAILED : Kind.ACK
        default: return Kind.OTHER
      }
    },
    greeting: () => { throw new Error('the gateway says no hello') },
    pong: Buffer.alloc(0),
    // A third of the window, as the protocol says.
    heartbeat: { frame: heartbeat, everyMs: 10_000 },
    message: ({ to, isGroup, bodyBytes }) => {
      const value = {
        msgId: messageIdPlaceholder,
        msgBody: Buffer.alloc(bodyBytes, 'x'),
        ...(isGroup ? { msgType: MessageType.GROUP_CHAT, groupId: to } : { toUserId: to }),
      }
      const frame = create(ClientFrameSchema, { payload: { case: 'message', value } })
      return new MessageTemplate(Buffer.from(toBinary(ClientFrameSchema, frame)), 'binary')
    },
  }
}

/** @param at the length of the ack, which comes after its tag */
function hasFailed (bytes: Buffer, at: number): boolean {
  while (bytes[at] > 127) at++
  at++
  return bytes[at] === ACK_MSG_ID && bytes[at + 2 + bytes[at + 1]] === ACK_STATUS
}
