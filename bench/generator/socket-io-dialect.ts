import { Kind, type Dialect } from './dialect.js'
import { MessageTemplate, messageIdPlaceholder } from './message-template.js'
import { clientFrame } from './raw-socket.js'

// Engine.IO 4 has a digit for the kind of packet, and Socket.IO 5 one more within a message.
const OPEN = '0'.charCodeAt(0)
const PING = '2'.charCodeAt(0)
const MESSAGE = '4'.charCodeAt(0)
const CONNECT = '0'.charCodeAt(0)
const EVENT = '2'.charCodeAt(0)
const ACK = '3'.charCodeAt(0)
const CONNECT_ERROR = '4'.charCodeAt(0)

/** Nine digits, replaced by the number of the message: the id of the ack that is asked for. */
const ACK_ID = '000000000'

export const socketIoDialect: Dialect = {
  path: () => '/socket.io/?EIO=4&transport=websocket',
  kindOf: (bytes, start) => {
    switch (bytes[start]) {
      case OPEN: return Kind.HELLO
      case PING: return Kind.PING
      case MESSAGE: break
      default: return Kind.OTHER
    }
    switch (bytes[start + 1]) {
      case CONNECT: return Kind.READY
      case EVENT: return Kind.DELIVERY
      case ACK: return Kind.ACK
      case CONNECT_ERROR: return Kind.REFUSED
      default: return Kind.OTHER
    }
  },
  greeting: user => clientFrame(Buffer.from(`40${JSON.stringify({ token: `valid:${user}` })}`), 'text'),
  pong: clientFrame(Buffer.from('3'), 'text'),
  message: ({ to, isGroup, bodyBytes }) => {
    const message = { [isGroup ? 'group' : 'to']: to, id: messageIdPlaceholder, body: 'x'.repeat(bodyBytes) }
    return new MessageTemplate(Buffer.from(`42${ACK_ID}${JSON.stringify(['message', message])}`), 'text')
  },
}
