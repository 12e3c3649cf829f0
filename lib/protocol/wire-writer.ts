// Writes protobuf's wire format in two passes, first the size and then the bytes, so that a frame is one allocation.
// The `...Size` functions count a field with its tag (field numbers below 16: one byte); a field with its default
// value takes no room and is not written. The `write...` functions return the position after what they wrote.

/**
 * Up to here a loop beats the calls into C++. Such a text has at most 126 bytes, so its length is one byte that can
 * be filled in afterwards.
 */
const SHORT_TEXT = 42

export function varintSize (value: number): number {
  if (value < 0x80) return 1
  if (value < 0x4000) return 2
  if (value < 0x200000) return 3
  if (value < 0x10000000) return 4
  return 5
}

/** A uint32. */
export function writeVarint (out: Buffer, pos: number, value: number): number {
  while (value > 0x7f) {
    out[pos++] = value & 0x7f | 0x80
    value >>>= 7
  }
  out[pos++] = value
  return pos
}

export function stringSize (text: string): number {
  if (text.length === 0) return 0
  const length = utf8Length(text)
  return 1 + varintSize(length) + length
}

/** Lone surrogates become U+FFFD, as everywhere in Node. */
export function writeString (out: Buffer, pos: number, tag: number, text: string): number {
  const length = text.length
  if (length === 0) return pos
  out[pos++] = tag
  if (length > SHORT_TEXT) return writeLongText(out, pos, text)
  const start = pos + 1
  for (let i = 0; i < length; i++) {
    const code = text.charCodeAt(i)
    if (code > 0x7f) {
      const written = out.write(text, start, 'utf8')
      out[pos] = written
      return start + written
    }
    out[start + i] = code
  }
  out[pos] = length
  return start + length
}

function writeLongText (out: Buffer, pos: number, text: string): number {
  const length = Buffer.byteLength(text)
  pos = writeVarint(out, pos, length)
  return pos + out.write(text, pos, length === text.length ? 'latin1' : 'utf8')
}

function utf8Length (text: string): number {
  const length = text.length
  if (length > SHORT_TEXT) return Buffer.byteLength(text)
  for (let i = 0; i < length; i++) {
    if (text.charCodeAt(i) > 0x7f) return Buffer.byteLength(text)
  }
  return length
}

export function bytesSize (bytes: Uint8Array): number {
  const length = bytes.length
  return length === 0 ? 0 : 1 + varintSize(length) + length
}

export function writeBytes (out: Buffer, pos: number, tag: number, bytes: Uint8Array): number {
  if (bytes.length === 0) return pos
  out[pos++] = tag
  pos = writeVarint(out, pos, bytes.length)
  out.set(bytes, pos)
  return pos + bytes.length
}

/** An int32 or an enum; a negative one takes ten bytes, like any 64-bit number with its sign. */
export function int32Size (value: number): number {
  if (value === 0) return 0
  return value < 0 ? 11 : 1 + varintSize(value)
}

export function writeInt32 (out: Buffer, pos: number, tag: number, value: number): number {
  if (value === 0) return pos
  out[pos++] = tag
  if (value > 0) return writeVarint(out, pos, value)
  for (let i = 0; i < 9; i++) {
    out[pos++] = value & 0x7f | 0x80
    value >>= 7
  }
  out[pos++] = 1
  return pos
}

export function uint32Size (value: number): number {
  return value === 0 ? 0 : 1 + varintSize(value)
}

export function writeUint32 (out: Buffer, pos: number, tag: number, value: number): number {
  if (value === 0) return pos
  out[pos++] = tag
  return writeVarint(out, pos, value)
}

/** An int64, given as a bigint or as a whole number. */
export function int64Size (value: bigint | number): number {
  const number = Number(value)
  if (number === 0) return 0
  if (number < 0) return 11
  // Above 2^53 the number is rounded, perhaps up into one more byte.
  if (number > Number.MAX_SAFE_INTEGER) return 1 + Math.ceil(BigInt(value).toString(2).length / 7)
  let size = 2
  for (let rest = number; rest >= 0x80; rest = Math.floor(rest / 0x80)) size++
  return size
}

export function writeInt64 (out: Buffer, pos: number, tag: number, value: bigint | number): number {
  let number = Number(value)
  if (number === 0) return pos
  out[pos++] = tag
  if (number < 0 || number > Number.MAX_SAFE_INTEGER) return writeLongInt64(out, pos, BigInt(value))
  while (number > 0x7fffffff) {
    // The bits of a number above 2^32 are still its lowest 32.
    out[pos++] = number & 0x7f | 0x80
    number = Math.floor(number / 0x80)
  }
  return writeVarint(out, pos, number)
}

function writeLongInt64 (out: Buffer, pos: number, value: bigint): number {
  let rest = BigInt.asUintN(64, value)
  while (rest > 0x7fn) {
    out[pos++] = Number(rest & 0x7fn) | 0x80
    rest >>= 7n
  }
  out[pos++] = Number(rest)
  return pos
}

/** A list of uint32, packed. */
export function packedSize (values: readonly number[]): number {
  if (values.length === 0) return 0
  const size = elementsSize(values)
  return 1 + varintSize(size) + size
}

export function writePacked (out: Buffer, pos: number, tag: number, values: readonly number[]): number {
  if (values.length === 0) return pos
  out[pos++] = tag
  pos = writeVarint(out, pos, elementsSize(values))
  for (const value of values) pos = writeVarint(out, pos, value)
  return pos
}

function elementsSize (values: readonly number[]): number {
  let size = 0
  for (const value of values) size += varintSize(value)
  return size
}
