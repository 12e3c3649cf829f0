import { MESSAGE_GROUP_ID, MESSAGE_MSG_BODY, MESSAGE_MSG_ID, MESSAGE_MSG_TYPE, MESSAGE_TO_USER_ID } from '../protocol/message-tags.js'
import { bytesSize, stringSize, varintSize, writeBytes, writeString, writeVarint } from '../protocol/wire-writer.js'
import { writeSequenceAndTime, writeStamp } from './stamp.js'

/** Digits of the run and of the sequence, hexadecimal, in a msg_id. */
const DIGITS = 8

const FRAME_MESSAGE = 1 << 3 | 2
const GROUP_CHAT = 1

export interface MessageFrameOptions {
  run: number
  stream: number
  /** Either this or `groupId`. */
  toUserId?: string
  groupId?: string
  bodyBytes: number
}

/**
 * The frame of a sender's messages, made once: what differs from message to message has the same length each time, and
 * is all that is written for one.
 */
export class MessageFrame {
  readonly #template: Buffer
  readonly #sequenceAt: number
  readonly #stampAt: number

  constructor ({ run, stream, toUserId = '', groupId = '', bodyBytes }: MessageFrameOptions) {
    const msgId = `${hex(run)}${hex(0)}`
    const body = Buffer.alloc(bodyBytes, 'x')
    writeStamp(body, 0, run, stream, 0, 0)
    const length = stringSize(msgId) + (groupId === '' ? 0 : 2) + stringSize(toUserId) + stringSize(groupId) + bytesSize(body)
    const payload = Buffer.alloc(1 + varintSize(length) + length)
    payload[0] = FRAME_MESSAGE
    let pos = writeVarint(payload, 1, length)
    pos = writeString(payload, pos, MESSAGE_MSG_ID, msgId)
    const sequenceAt = pos - DIGITS
    if (groupId !== '') {
      payload[pos++] = MESSAGE_MSG_TYPE
      payload[pos++] = GROUP_CHAT
    }
    pos = writeString(payload, pos, MESSAGE_TO_USER_ID, toUserId)
    pos = writeString(payload, pos, MESSAGE_GROUP_ID, groupId)
    pos = writeBytes(payload, pos, MESSAGE_MSG_BODY, body)
    this.#template = clientFrame(BINARY, payload)
    const header = this.#template.length - payload.length
    this.#sequenceAt = header + sequenceAt
    this.#stampAt = header + pos - bodyBytes
  }

  /** The frame of one message. `timeMs`: what its latency is counted from. */
  of (sequence: number, timeMs: number): Buffer {
    const frame = Buffer.allocUnsafe(this.#template.length)
    this.#template.copy(frame)
    let rest = sequence
    for (let i = this.#sequenceAt + DIGITS - 1; i >= this.#sequenceAt; i--) {
      const digit = rest & 15
      frame[i] = digit < 10 ? 48 + digit : 87 + digit
      rest >>>= 4
    }
    writeSequenceAndTime(frame, this.#stampAt, sequence, timeMs)
    return frame
  }
}

/** The sequence in a msg_id of `length` bytes; undefined where it is none of ours. */
export function sequenceIn (bytes: Buffer, at: number, length: number): number | undefined {
  if (length !== 2 * DIGITS) return undefined
  let sequence = 0
  for (let i = at + DIGITS; i < at + length; i++) {
    const code = bytes[i]
    const digit = code >= 48 && code <= 57 ? code - 48 : code >= 97 && code <= 102 ? code - 87 : -1
    if (digit === -1) return undefined
    sequence = sequence << 4 | digit
  }
  return sequence >>> 0
}

const BINARY = 0x82
const CLOSE = 0x88
const PONG = 0x8a
const LENGTH_16 = 126
const LENGTH_64 = 127

/**
 * A WebSocket frame of a client, whose masking key is 0: it must have one (RFC 6455, 5.3), which is there to keep pages
 * from misleading proxies. There is no page here, and with this one the payload stays as it is.
 */
function clientFrame (opcode: number, payload: Uint8Array): Buffer {
  const { length } = payload
  const extra = length < LENGTH_16 ? 0 : length < 0x10000 ? 2 : 8
  const frame = Buffer.alloc(2 + extra + 4 + length)
  frame[0] = opcode
  frame[1] = 0x80 | (extra === 0 ? length : extra === 2 ? LENGTH_16 : LENGTH_64)
  if (extra === 2) frame.writeUInt16BE(length, 2)
  if (extra === 8) frame.writeBigUInt64BE(BigInt(length), 2)
  frame.set(payload, 2 + extra + 4)
  return frame
}

/** A HeartbeatPing without a time, which the gateway does not look at. */
export const pingFrame: Buffer = clientFrame(BINARY, Buffer.from([2 << 3 | 2, 0]))

/** Closes normally, with 1000. */
export const closeFrame: Buffer = clientFrame(CLOSE, Buffer.from([0x03, 0xe8]))

/** Answers a WebSocket ping. */
export function pongFrame (payload: Uint8Array): Buffer {
  return clientFrame(PONG, payload)
}

function hex (number: number): string {
  return number.toString(16).padStart(DIGITS, '0')
}
