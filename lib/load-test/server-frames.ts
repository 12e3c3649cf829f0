import { WireReader } from '../protocol/wire.js'
import { MESSAGE_MSG_BODY } from '../protocol/message-tags.js'
import { sequenceIn } from './message-frame.js'

/** Hears of what a gateway says, as far as a load test looks at it. */
export interface ServerFrameListener {
  onConnectAck (userId: string): void
  /** The body is at `at` of `bytes`, which are valid only during the call. */
  onDelivery (bytes: Buffer, at: number, length: number): void
  onAck (ack: LoadAck): void
  onPong (): void
  onServerError (code: number, message: string): void
  /** What is no ServerFrame. */
  onBadFrame (): void
}

/** One object serves all: valid only during the call. */
export interface LoadAck {
  /** Undefined: the msg_id is none of a load test. */
  sequence: number | undefined
  sent: boolean
  reason: string
  bufferedUsers: number
  notifiedUsers: number
  skippedUsers: number
}

const CONNECT_ACK = 1 << 3 | 2
const DELIVERY = 2 << 3 | 2
const ACK = 3 << 3 | 2
const ERROR = 4 << 3 | 2
const PONG = 5 << 3 | 2

const ack: LoadAck = { sequence: undefined, sent: true, reason: '', bufferedUsers: 0, notifiedUsers: 0, skippedUsers: 0 }

/** Sockets of a thread mostly read into one and the same buffer. */
let reader = new WireReader(Buffer.alloc(0))
let readerBytes: Buffer | undefined

/** Reads the ServerFrame from `start` to `end`, each field only where it is needed. */
export function readServerFrame (bytes: Buffer, start: number, end: number, listener: ServerFrameListener): void {
  if (bytes !== readerBytes) {
    reader = new WireReader(bytes)
    readerBytes = bytes
  }
  reader.pos = start
  reader.end = end
  reader.failed = false
  const tag = reader.tag()
  reader.enter()
  switch (tag) {
    case ACK:
      readAck(bytes)
      if (reader.failed) listener.onBadFrame()
      else listener.onAck(ack)
      return
    case DELIVERY:
      readDelivery(bytes, listener)
      return
    case PONG:
      listener.onPong()
      return
    case CONNECT_ACK: {
      const userId = readText(3, 0).text
      if (reader.failed) listener.onBadFrame()
      else listener.onConnectAck(userId)
      return
    }
    case ERROR: {
      const { number, text } = readText(2, 1)
      if (reader.failed) listener.onBadFrame()
      else listener.onServerError(number, text)
      return
    }
    default:
      listener.onBadFrame()
  }
}

function readAck (bytes: Buffer): void {
  ack.sequence = undefined
  ack.sent = true
  ack.reason = ''
  ack.bufferedUsers = ack.notifiedUsers = ack.skippedUsers = 0
  while (reader.pos < reader.end) {
    const tag = reader.tag()
    switch (tag) {
      case 1 << 3 | 2: {
        const length = reader.length()
        ack.sequence = sequenceIn(bytes, reader.pos, length)
        reader.pos += length
        break
      }
      case 2 << 3:
        ack.sent = reader.int32() === 0
        break
      case 4 << 3 | 2:
        ack.reason = reader.string()
        break
      case 6 << 3:
        ack.notifiedUsers = reader.int32() >>> 0
        break
      case 7 << 3:
        ack.bufferedUsers = reader.int32() >>> 0
        break
      case 8 << 3:
        ack.skippedUsers = reader.int32() >>> 0
        break
      default:
        reader.skip(tag, 1)
    }
  }
}

function readDelivery (bytes: Buffer, listener: ServerFrameListener): void {
  // The MessageDelivery's only field is the message; what a later version may put before it is passed over.
  let tag = reader.tag()
  while (tag !== (1 << 3 | 2) && reader.pos < reader.end) {
    reader.skip(tag, 1)
    tag = reader.tag()
  }
  reader.enter()
  let at = 0
  let length = 0
  while (reader.pos < reader.end) {
    const tag = reader.tag()
    if (tag === MESSAGE_MSG_BODY) {
      length = reader.length()
      at = reader.pos
      reader.pos += length
      break
    }
    if ((tag & 7) === 2) {
      const text = reader.length()
      reader.pos += text
    } else {
      reader.skip(tag, 2)
    }
  }
  if (reader.failed) listener.onBadFrame()
  else listener.onDelivery(bytes, at, length)
}

/** A text and a number by their fields' numbers; field 0 is none. */
function readText (textField: number, numberField: number): { text: string, number: number } {
  let text = ''
  let number = 0
  while (reader.pos < reader.end) {
    const tag = reader.tag()
    if (tag === (textField << 3 | 2)) text = reader.string()
    else if (numberField !== 0 && tag === numberField << 3) number = reader.int32()
    else reader.skip(tag, 1)
  }
  return { text, number }
}
