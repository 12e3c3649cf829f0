import { isBytes } from './bytes.js'
import { decodeUtf8, encodeUtf8 } from './utf8.js'

// Protocol Buffers on the wire. A message is a row of fields, each a tag (field number * 8 + wire type) and its value:
// wire type 0 is a varint, 2 a length and that many bytes, 1 and 5 are 8 and 4 bytes, 3 and 4 begin and end a group.
// A field at its default (0, '', false, no bytes) is left out.

/** A message's fields by number: each with its name, and its type or, for a message, the fields of that. */
export interface Fields {
  readonly [number: number]: readonly [name: string, type: Scalar | Fields]
}

export type Scalar = 'string' | 'bytes' | 'int32' | 'uint32' | 'int64' | 'bool'

export type Message = Record<string, any>

const BITS_32 = 2 ** 32
const INT32 = 2 ** 31

/** What a number may be. An int64 is a Number here, so it has 54 bits: for milliseconds that is the year 287396. */
const ranges = {
  int32: [-INT32, INT32 - 1],
  uint32: [0, BITS_32 - 1],
  int64: [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
}

/** Fields in the order of their numbers, as protobuf libraries write them. One that is undefined is left out. */
export function encodeMessage (fields: Fields, message: Message): Uint8Array {
  // Pieces are put together once at the end: a body of 1 MiB is copied as a block.
  const pieces: ArrayLike<number>[] = []
  let size = 0
  const push = (piece: ArrayLike<number>): void => {
    pieces.push(piece)
    size += piece.length
  }
  for (const number of Object.keys(fields).map(Number)) {
    const [name, type] = fields[number]
    const value = message[name]
    if (value === undefined) continue
    if (typeof type === 'object' || type === 'string' || type === 'bytes') {
      const bytes = bytesOf(type, value, name)
      // A message that is there is written even if it is empty: that it is there is what it says.
      if (bytes.length === 0 && typeof type !== 'object') continue
      push(varint(number << 3 | 2))
      push(varint(bytes.length))
      push(bytes)
    } else {
      const bits = Number(value)
      if (type !== 'bool' && !(Number.isInteger(bits) && bits >= ranges[type][0] && bits <= ranges[type][1])) {
        throw new RangeError(`${name} must be a whole number from ${ranges[type].join(' to ')}, not ${String(value)}`)
      }
      if (bits === 0) continue
      push(varint(number << 3))
      push(varint(bits))
    }
  }
  const bytes = new Uint8Array(size)
  let at = 0
  for (const piece of pieces) {
    bytes.set(piece, at)
    at += piece.length
  }
  return bytes
}

function bytesOf (type: 'string' | 'bytes' | Fields, value: unknown, name: string): Uint8Array {
  if (typeof type === 'object') return encodeMessage(type, value as Message)
  if (type === 'string' && typeof value === 'string') return encodeUtf8(value)
  if (type === 'bytes' && isBytes(value)) return value
  throw new TypeError(`${name} must be ${type === 'string' ? 'a string' : 'a Uint8Array'}`)
}

/** Seven bits a byte, lowest first, the top bit meaning "more". A negative number goes as its 64-bit complement. */
function varint (value: number): number[] {
  const bytes: number[] = []
  let low = value >>> 0
  let high = Math.floor(value / BITS_32) >>> 0
  while (high > 0 || low > 127) {
    bytes.push(low & 127 | 128)
    low = (low >>> 7 | high << 25) >>> 0
    high >>>= 7
  }
  bytes.push(low)
  return bytes
}

/**
 * Reads bytes into `message`, in which every field but the messages is there. Fields that are not known are skipped,
 * and so are those with another wire type than theirs. Where a field comes twice, the last one counts, and a message
 * that comes twice is merged, as protobuf has it. What does not fit: an int64 becomes the nearest safe integer, and a
 * string that is not UTF-8 gets U+FFFD.
 * @param options.isOneof at most one of the fields may be there: the last one
 * @throws Error for bytes that are no message
 */
export function decodeMessage (
  fields: Fields, bytes: Uint8Array, message: Message = defaultsOf(fields), { isOneof = false } = {}
): Message {
  /** Numbers of the groups that `at` is in: all of it unknown, and skipped. */
  const groups: number[] = []
  let at = 0
  // The latest varint's halves: all 64 bits, without a BigInt.
  let low = 0
  let high = 0

  function readVarint (): void {
    low = high = 0
    for (let shift = 0; shift < 70; shift += 7) {
      if (at >= bytes.length) throw new Error('the bytes end in the middle of a number')
      const byte = bytes[at++]
      const bits = byte & 127
      if (shift < 32) low |= bits << shift
      if (shift > 28) high |= bits << shift - 32
      else if (shift === 28) high = bits >>> 4
      if (byte < 128) {
        low >>>= 0
        return
      }
    }
    throw new Error('a number has more than 10 bytes')
  }

  function take (length: number): Uint8Array {
    if (length > bytes.length - at) throw new Error('the bytes end in the middle of a field')
    at += length
    return bytes.subarray(at - length, at)
  }

  while (at < bytes.length) {
    readVarint()
    const number = low >>> 3
    const wireType = low & 7
    if (number === 0 || high !== 0) throw new Error('a field has no number')
    let content = bytes
    if (wireType === 0) {
      readVarint()
    } else if (wireType === 2) {
      readVarint()
      content = take(high === 0 ? low : Infinity)
    } else if (wireType === 1) {
      take(8)
    } else if (wireType === 5) {
      take(4)
    } else if (wireType === 3) {
      groups.push(number)
    } else if (wireType === 4) {
      if (groups.pop() !== number) throw new Error('a group ends that did not begin')
    } else {
      throw new Error(`wire type ${wireType} is not one of Protocol Buffers`)
    }

    const field = fields[number]
    if (field === undefined || groups.length > 0) continue
    const [name, type] = field
    if (wireType === 0) {
      if (type === 'bool') message[name] = low !== 0 || high !== 0
      else if (type === 'int32') message[name] = low | 0
      else if (type === 'uint32') message[name] = low
      else if (type === 'int64') {
        const [least, most] = ranges.int64
        message[name] = Math.max(least, Math.min(most, high * BITS_32 + low))
      }
    } else if (wireType === 2) {
      if (typeof type === 'object') {
        if (isOneof) for (const other of Object.keys(message)) if (other !== name) delete message[other]
        message[name] = decodeMessage(type, content, message[name])
      } else if (type === 'string') {
        message[name] = decodeUtf8(content)
      } else if (type === 'bytes') {
        // A copy: the socket's buffer may be larger than the frame, and would be kept as long as a body is.
        message[name] = new Uint8Array(content)
      }
    }
  }
  if (groups.length > 0) throw new Error('the bytes end in the middle of a group')
  return message
}

const defaults = { string: '', int32: 0, uint32: 0, int64: 0, bool: false }

function defaultsOf (fields: Fields): Message {
  const message: Message = {}
  for (const [name, type] of Object.values(fields) as Fields[number][]) {
    if (typeof type === 'string') message[name] = type === 'bytes' ? new Uint8Array() : defaults[type]
  }
  return message
}
