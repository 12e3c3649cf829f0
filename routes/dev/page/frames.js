// ClientFrame and ServerFrame of mics.message.v1 in Protocol Buffers, by hand and with no dependency: enough to read
// as an example of how little a client needs. proto/mics/message/v1/message.proto is the contract.
//
// On the wire a message is a row of fields. Each is a tag, field number * 8 + wire type, and then its value: wire
// type 0 is a varint, 2 is a length and that many bytes. A field at its default (0, '', false) is left out.

/** @typedef {{ case: string, value: Record<string, any> }} Frame `case` names the field of the frame's oneof. */

// Each message as { field number: [name, type] }, where a type is a scalar's name or another message.
const messageRequest = {
  1: ['tenantId', 'string'],
  2: ['userId', 'string'],
  3: ['deviceId', 'string'],
  4: ['msgId', 'string'],
  5: ['msgType', 'int32'],
  6: ['toUserId', 'string'],
  7: ['groupId', 'string'],
  8: ['msgBody', 'bytes'],
  9: ['timestampMs', 'int64'],
}
const messageAck = {
  1: ['msgId', 'string'],
  2: ['status', 'int32'],
  3: ['timestampMs', 'int64'],
  4: ['reason', 'string'],
  5: ['partialDelivery', 'bool'],
  6: ['offlineNotifiedUsers', 'uint32'],
  7: ['offlineBufferedUsers', 'uint32'],
  8: ['offlineSkippedUsers', 'uint32'],
}
const connectAck = {
  1: ['code', 'int32'],
  2: ['tenantId', 'string'],
  3: ['userId', 'string'],
  4: ['deviceId', 'string'],
  5: ['nodeId', 'string'],
  6: ['traceId', 'string'],
}
const heartbeat = { 1: ['timestampMs', 'int64'] }
const clientFrame = {
  1: ['message', messageRequest],
  2: ['heartbeatPing', heartbeat],
}
const serverFrame = {
  1: ['connectAck', connectAck],
  2: ['delivery', { 1: ['message', messageRequest] }],
  3: ['ack', messageAck],
  4: ['error', { 1: ['code', 'int32'], 2: ['message', 'string'] }],
  5: ['heartbeatPong', heartbeat],
}

export const MessageType = { SINGLE_CHAT: 0, GROUP_CHAT: 1 }
export const AckStatus = { SENT: 0, FAILED: 1 }

/** @param {Frame} frame @returns {Uint8Array} */
export const encodeClientFrame = frame => encodeFrame(clientFrame, frame)
/** @param {Frame} frame @returns {Uint8Array} */
export const encodeServerFrame = frame => encodeFrame(serverFrame, frame)
/** @param {Uint8Array} bytes @returns {Frame | undefined} undefined: a kind of frame this page does not know. */
export const decodeClientFrame = bytes => decodeFrame(clientFrame, bytes)
/** @param {Uint8Array} bytes @returns {Frame | undefined} undefined: a kind of frame this page does not know. */
export const decodeServerFrame = bytes => decodeFrame(serverFrame, bytes)

function encodeFrame (schema, frame) {
  const out = []
  writeFields(out, schema, { [frame.case]: frame.value })
  return Uint8Array.from(out)
}

function decodeFrame (schema, bytes) {
  // Both frames are a oneof: should several fields be there, the last one counts.
  const [last] = Object.entries(readFields(bytes, schema)).slice(-1)
  return last && { case: last[0], value: last[1] }
}

function writeFields (out, schema, message) {
  for (const [number, [name, type]] of Object.entries(schema)) {
    const value = message[name]
    if (value === undefined) continue
    if (typeof type === 'object') {
      const inner = []
      writeFields(inner, type, value)
      writeBytes(out, number, inner)
    } else if (type === 'string' || type === 'bytes') {
      const bytes = type === 'string' ? new TextEncoder().encode(value) : value
      if (bytes.length > 0) writeBytes(out, number, bytes)
    } else if (BigInt(value) !== 0n) {
      writeVarint(out, Number(number) << 3)
      writeVarint(out, value)
    }
  }
}

function writeBytes (out, number, bytes) {
  writeVarint(out, Number(number) << 3 | 2)
  writeVarint(out, bytes.length)
  for (const byte of bytes) out.push(byte)
}

/** Seven bits a byte, lowest first, the top bit meaning "more". A negative number goes as its 64-bit complement. */
function writeVarint (out, value) {
  let rest = BigInt.asUintN(64, BigInt(value))
  for (; rest > 127n; rest >>= 7n) out.push(Number(rest & 127n) | 128)
  out.push(Number(rest))
}

/** Every field of the schema, at its default where the bytes do not carry it; nested messages only where present. */
function readFields (bytes, schema) {
  const message = {}
  for (const [name, type] of Object.values(schema)) {
    if (typeof type === 'string') message[name] = defaultOf[type]()
  }
  let at = 0
  function readVarint () {
    let value = 0n
    for (let shift = 0n; shift < 70n; shift += 7n) {
      if (at >= bytes.length) throw new Error('the frame ends in the middle of a number')
      const byte = bytes[at++]
      value |= BigInt(byte & 127) << shift
      if (byte < 128) return BigInt.asUintN(64, value)
    }
    throw new Error('a number of more than 10 bytes')
  }
  function take (length) {
    if (length > bytes.length - at) throw new Error('the frame ends in the middle of a field')
    at += length
    return bytes.subarray(at - length, at)
  }
  while (at < bytes.length) {
    const tag = Number(readVarint())
    const wireType = tag & 7
    let value
    if (wireType === 0) value = readVarint()
    else if (wireType === 2) value = take(Number(readVarint()))
    else if (wireType === 1) take(8) // fixed 64 and 32 bit values: none of ours, so always an unknown field
    else if (wireType === 5) take(4)
    else throw new Error(`wire type ${wireType} is not one of Protocol Buffers`)

    // A field of a newer version, or one with the wrong wire type, is skipped.
    const [name, type] = schema[tag >>> 3] ?? []
    if (name === undefined || wireType !== (fromVarint[type] ? 0 : 2)) continue
    if (typeof type === 'object') {
      delete message[name] // so that the oneof's last field is the last key
      message[name] = readFields(value, type)
    } else {
      message[name] = type === 'string' ? new TextDecoder().decode(value) : (fromVarint[type]?.(value) ?? value.slice())
    }
  }
  return message
}

const fromVarint = {
  bool: value => value !== 0n,
  int32: value => Number(BigInt.asIntN(32, value)),
  uint32: value => Number(BigInt.asUintN(32, value)),
  // Milliseconds fit a Number until the year 287396; only what does not fit stays a BigInt.
  int64: value => {
    const signed = BigInt.asIntN(64, value)
    return Number.isSafeInteger(Number(signed)) ? Number(signed) : signed
  },
}

const defaultOf = {
  string: () => '',
  bytes: () => new Uint8Array(),
  bool: () => false,
  int32: () => 0,
  uint32: () => 0,
  int64: () => 0,
}
