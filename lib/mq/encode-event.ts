import { createHmac, timingSafeEqual } from 'node:crypto'
import {
  bytesSize, int32Size, int64Size, stringSize, writeBytes, writeInt32, writeInt64, writeString,
} from '../protocol/wire-writer.js'
import { WireReader } from '../protocol/wire.js'
import type { EncodedEvent, MqEvent } from './mq-event.js'

// By hand, because an event leaves for nearly every message. The bytes are those that protobuf-es makes of the same
// values.

// (field number << 3) | wire type, of MqEvent of mics.hook.v1.
const TENANT_ID = 1 << 3 | 2
const EVENT_TYPE = 2 << 3
const MSG_ID = 3 << 3 | 2
const USER_ID = 4 << 3 | 2
const DEVICE_ID = 5 << 3 | 2
const TO_USER_ID = 6 << 3 | 2
const GROUP_ID = 7 << 3 | 2
const EVENT_DATA = 8 << 3 | 2
const TIMESTAMP = 9 << 3
const NODE_ID = 10 << 3 | 2
const SIGN = 11 << 3 | 2
const TRACE_ID = 12 << 3 | 2

/** Base64 of the 32 bytes of an HMAC-SHA256. */
const SIGNATURE_LENGTH = 44
/** Tag, length, signature. */
const SIGN_SIZE = 2 + SIGNATURE_LENGTH

const NONE = Buffer.alloc(0)

/**
 * An event in the bytes that are published. Signing costs more than all the rest, so it is left for later: where there
 * is a secret, the field `sign` has its place and 44 zeros for a value until `signEvent`.
 */
export function encodeEvent (event: MqEvent, nodeId: string): EncodedEvent {
  const { tenantId, type, msgId, timestampMs, traceId, secret, key } = event
  const beforeSign = stringSize(tenantId) +
    int32Size(type) +
    stringSize(msgId) +
    stringSize(event.userId) +
    stringSize(event.deviceId) +
    stringSize(event.toUserId) +
    stringSize(event.groupId) +
    bytesSize(event.data) +
    int64Size(timestampMs) +
    stringSize(nodeId)
  const signSize = secret === '' ? 0 : SIGN_SIZE
  const value = Buffer.allocUnsafe(beforeSign + signSize + stringSize(traceId))
  let pos = writeString(value, 0, TENANT_ID, tenantId)
  pos = writeInt32(value, pos, EVENT_TYPE, type)
  pos = writeString(value, pos, MSG_ID, msgId)
  pos = writeString(value, pos, USER_ID, event.userId)
  pos = writeString(value, pos, DEVICE_ID, event.deviceId)
  pos = writeString(value, pos, TO_USER_ID, event.toUserId)
  pos = writeString(value, pos, GROUP_ID, event.groupId)
  pos = writeBytes(value, pos, EVENT_DATA, event.data)
  pos = writeInt64(value, pos, TIMESTAMP, timestampMs)
  const signAt = writeString(value, pos, NODE_ID, nodeId)
  if (signSize > 0) {
    value[signAt] = SIGN
    value[signAt + 1] = SIGNATURE_LENGTH
    value.fill(0, signAt + 2, signAt + SIGN_SIZE)
  }
  pos = writeString(value, signAt + signSize, TRACE_ID, traceId)
  // The buffer comes uninitialised: one that was not filled exactly would send other people's data.
  if (pos !== value.length) throw new Error(`encoded ${pos} bytes where ${value.length} were counted`)
  return { tenantId, type, key, msgId, traceId, timestampMs, secret, value, signAt, span: event.span }
}

/** Writes the signature into `value`. Nothing happens where the event has no secret. Signing twice is no harm. */
export function signEvent ({ secret, value, signAt }: EncodedEvent): void {
  if (secret === '') return
  const signature = signatureOf(secret, [value.subarray(0, signAt), value.subarray(signAt + SIGN_SIZE)])
  value.write(signature, signAt + 2, 'latin1')
}

/**
 * Whether a published event carries the signature that this secret makes. Takes the bytes as they were received, so
 * fields of newer versions are covered too; false where they are not protobuf. An event without a signature, and an
 * empty secret, give false.
 */
export function verifyEvent (secret: string, value: Uint8Array): boolean {
  const { signature, unsigned } = cutSignature(Buffer.from(value.buffer, value.byteOffset, value.byteLength))
  if (secret === '' || signature.length !== SIGNATURE_LENGTH) return false
  return timingSafeEqual(signature, Buffer.from(signatureOf(secret, unsigned), 'latin1'))
}

function signatureOf (secret: string, unsigned: Buffer[]): string {
  const hmac = createHmac('sha256', secret)
  for (const part of unsigned) hmac.update(part)
  return hmac.digest('base64')
}

/** The signature, empty where there is none or the bytes are not protobuf, and the bytes around it. */
function cutSignature (value: Buffer): { signature: Buffer, unsigned: Buffer[] } {
  const reader = new WireReader(value)
  const unsigned: Buffer[] = []
  let signature: Buffer = NONE
  let start = 0
  while (reader.pos < reader.end) {
    const fieldAt = reader.pos
    const tag = reader.tag()
    if (tag !== SIGN) {
      reader.skip(tag, 1)
      continue
    }
    // Given twice, the last one counts, as everywhere in protobuf.
    signature = reader.view()
    unsigned.push(value.subarray(start, fieldAt))
    start = reader.pos
  }
  unsigned.push(value.subarray(start))
  return { signature: reader.failed ? NONE : signature, unsigned }
}
