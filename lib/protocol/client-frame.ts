import type { Message } from './message.js'
import {
  LAST_MESSAGE_FIELD, MESSAGE_DEVICE_ID, MESSAGE_GROUP_ID, MESSAGE_MSG_BODY, MESSAGE_MSG_ID, MESSAGE_MSG_TYPE,
  MESSAGE_TENANT_ID, MESSAGE_TIMESTAMP_MS, MESSAGE_TO_USER_ID, MESSAGE_USER_ID,
} from './message-tags.js'
import { WireReader } from './wire.js'

/** A client's sign of life. */
export class HeartbeatPing {
  readonly kind = 'heartbeat-ping'
  /** Unix milliseconds, the client's time. */
  readonly timestampMs: bigint

  constructor (timestampMs: bigint) {
    this.timestampMs = timestampMs
  }
}

// (field number << 3) | wire type of the fields of ClientFrame.
const MESSAGE = 1 << 3 | 2
const HEARTBEAT_PING = 2 << 3 | 2
const LAST_FRAME_FIELD = 2

const PING_TIMESTAMP_MS = 1 << 3
const LAST_PING_FIELD = 1

const NO_BYTES = new Uint8Array(0)

/**
 * Decodes a ClientFrame of mics.message.v1: a Message, a HeartbeatPing (`instanceof` tells), or null for what is not
 * a ClientFrame. Never throws. `msgBody` shares memory with `frame`.
 *
 * By hand, because every message passes here and protobuf-es takes several times as long. On every valid input it
 * returns what protobuf-es would: the last value of a field wins, repeated submessages merge, a later member of the
 * oneof replaces the earlier, unknown fields are skipped, an unknown enum value is kept.
 *
 * It refuses more than protobuf-es does, since nobody but a broken or hostile client sends it: a frame without a
 * payload; a known field with another wire type (protobuf-es misreads it); a field that ends after the message it is
 * in (protobuf-es reads on); a skipped varint of more than ten bytes; a length of more than 32 bits (protobuf-es drops
 * the upper ones). Invalid UTF-8 in a string both refuse: ids become keys.
 */
export function decodeClientFrame (frame: Buffer): Message | HeartbeatPing | null {
  const reader = new WireReader(frame)
  let message: Message | null = null
  let ping: bigint | null = null
  while (reader.pos < reader.end) {
    const tag = reader.tag()
    if (tag === MESSAGE) {
      const outer = reader.enter()
      ping = null
      message ??= emptyMessage()
      readMessage(reader, message)
      reader.end = outer
    } else if (tag === HEARTBEAT_PING) {
      const outer = reader.enter()
      message = null
      ping = readPing(reader, ping ?? 0n)
      reader.end = outer
    } else if (tag >>> 3 > LAST_FRAME_FIELD) {
      reader.skip(tag, 1)
    } else {
      return null
    }
  }
  if (reader.failed) return null
  return ping === null ? message : new HeartbeatPing(ping)
}

/** Decodes a bare MessageRequest, as peers send it; null for what is none. `msgBody` shares memory with `bytes`. */
export function decodeMessageRequest (bytes: Buffer): Message | null {
  const reader = new WireReader(bytes)
  const message = emptyMessage()
  readMessage(reader, message)
  return reader.failed ? null : message
}

function readMessage (reader: WireReader, message: Message): void {
  while (reader.pos < reader.end) {
    const tag = reader.tag()
    switch (tag) {
      case MESSAGE_TENANT_ID:
        message.tenantId = reader.string()
        break
      case MESSAGE_USER_ID:
        message.userId = reader.string()
        break
      case MESSAGE_DEVICE_ID:
        message.deviceId = reader.string()
        break
      case MESSAGE_MSG_ID:
        message.msgId = reader.string()
        break
      case MESSAGE_MSG_TYPE:
        message.msgType = reader.int32()
        break
      case MESSAGE_TO_USER_ID:
        message.toUserId = reader.string()
        break
      case MESSAGE_GROUP_ID:
        message.groupId = reader.string()
        break
      case MESSAGE_MSG_BODY:
        message.msgBody = reader.view()
        break
      case MESSAGE_TIMESTAMP_MS:
        message.timestampMs = reader.int64()
        break
      default:
        if (tag >>> 3 > LAST_MESSAGE_FIELD) reader.skip(tag, 2)
        else reader.fail()
    }
  }
}

function readPing (reader: WireReader, timestampMs: bigint): bigint {
  while (reader.pos < reader.end) {
    const tag = reader.tag()
    if (tag === PING_TIMESTAMP_MS) timestampMs = reader.int64()
    else if (tag >>> 3 > LAST_PING_FIELD) reader.skip(tag, 2)
    else reader.fail()
  }
  return timestampMs
}

function emptyMessage (): Message {
  return {
    tenantId: '',
    userId: '',
    deviceId: '',
    msgId: '',
    msgType: 0,
    toUserId: '',
    groupId: '',
    msgBody: NO_BYTES,
    timestampMs: 0n,
    // Of one shape from the start: every message has them set.
    receivedAt: undefined,
    span: undefined,
    trace: undefined,
    traceTicket: undefined,
  }
}
