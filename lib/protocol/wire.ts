import { isUtf8 } from 'node:buffer'
import { configureTextEncoding, getTextEncoding } from '@bufbuild/protobuf/wire'

/** Wire types of protobuf's binary format: the low three bits of a tag. */
const VARINT = 0
const I64 = 1
const LEN = 2
const SGROUP = 3
const EGROUP = 4
const I32 = 5

/** How deep messages and groups may nest; protobuf-es has the same bound. */
const MAX_DEPTH = 100

/** Up to here building a string in JavaScript beats the call into C++ (measured on Node 20). */
const SHORT_TEXT = 12
/** From here isUtf8, which is vectorized, beats a loop over the bytes. */
const LONG_TEXT = 256

/**
 * Reads protobuf's wire format without throwing: what comes here comes from strangers. A read that cannot be
 * done sets `failed` for good, moves to `end` and returns an empty value, so that a loop `while (pos < end)` ends by
 * itself; only who is done with the whole has to ask `failed`. Nothing outside of `end` is ever read.
 */
export class WireReader {
  pos: number
  end: number
  failed = false

  constructor (private readonly bytes: Buffer) {
    this.pos = 0
    this.end = bytes.length
  }

  fail (): 0 {
    this.failed = true
    this.pos = this.end
    return 0
  }

  /** A tag, (field number << 3 | wire type), as an unsigned 32-bit number. Whether it is a legal one, `skip` tells. */
  tag (): number {
    const pos = this.pos
    if (pos < this.end) {
      const byte = this.bytes[pos]
      if (byte < 0x80) {
        this.pos = pos + 1
        return byte
      }
    }
    const tag = this.longVarint(5)
    return tag <= 0xffffffff ? tag : this.fail()
  }

  /** A length of which all bytes are there; they start at `pos`. */
  length (): number {
    const pos = this.pos
    let length: number
    if (pos < this.end && this.bytes[pos] < 0x80) {
      length = this.bytes[pos]
      this.pos = pos + 1
    } else {
      length = this.longVarint(10)
    }
    return length <= this.end - this.pos ? length : this.fail()
  }

  /** An int32 or an enum: like everywhere in protobuf, the low 32 bits of a varint of up to ten bytes. */
  int32 (): number {
    const bytes = this.bytes
    const last = Math.min(this.end, this.pos + 10)
    let value = 0
    for (let pos = this.pos, shift = 0; pos < last; shift += 7) {
      const byte = bytes[pos++]
      // A shift by 35 would shift by 3.
      if (shift < 32) value |= (byte & 0x7f) << shift
      if (byte < 0x80) {
        this.pos = pos
        return value
      }
    }
    return this.fail()
  }

  /** A bool: any varint but 0 is true. */
  bool (): boolean {
    const pos = this.pos
    if (pos < this.end) {
      const byte = this.bytes[pos]
      if (byte < 0x80) {
        this.pos = pos + 1
        return byte !== 0
      }
    }
    return this.longVarint(10) !== 0
  }

  /** An int64. */
  int64 (): bigint {
    const bytes = this.bytes
    const last = Math.min(this.end, this.pos + 10)
    let low = 0
    let high = 0
    for (let pos = this.pos, shift = 0; pos < last; shift += 7) {
      const byte = bytes[pos++]
      const bits = byte & 0x7f
      if (shift < 28) {
        low |= bits << shift
      } else if (shift === 28) {
        low |= bits << 28
        high = bits >>> 4
      } else {
        high |= bits << (shift - 32)
      }
      if (byte < 0x80) {
        this.pos = pos
        // Within ±2^53 (every time of ours) one number holds it, and one BigInt is made instead of four.
        return high >= -0x200000 && high < 0x200000
          ? BigInt(high * 0x100000000 + (low >>> 0))
          : BigInt(high) << 32n | BigInt(low >>> 0)
      }
    }
    this.fail()
    return 0n
  }

  /** The next `length()` bytes, as a view into the same memory. */
  view (): Buffer {
    const length = this.length()
    const start = this.pos
    this.pos = start + length
    return this.bytes.subarray(start, start + length)
  }

  /** A string; invalid UTF-8 fails. A leading U+FEFF is kept. */
  string (): string {
    const length = this.length()
    const start = this.pos
    const end = start + length
    this.pos = end
    if (length > SHORT_TEXT) return this.text(start, end)

    const bytes = this.bytes
    let text = ''
    let i = start
    for (; i + 4 <= end; i += 4) {
      const a = bytes[i]
      const b = bytes[i + 1]
      const c = bytes[i + 2]
      const d = bytes[i + 3]
      if ((a | b | c | d) > 0x7f) return this.text(start, end)
      text += String.fromCharCode(a, b, c, d)
    }
    for (; i < end; i++) {
      const a = bytes[i]
      if (a > 0x7f) return this.text(start, end)
      text += String.fromCharCode(a)
    }
    return text
  }

  /** Skips a string, checking it like `string()`. Returns its length in bytes. */
  skipString (): number {
    const length = this.length()
    const start = this.pos
    const end = start + length
    this.pos = end
    if (!this.isAscii(start, end) && !isUtf8(this.bytes.subarray(start, end))) this.fail()
    return length
  }

  /** Narrows `end` to the submessage that starts here, and returns the `end` to put back after it. */
  enter (): number {
    const outer = this.end
    const length = this.length()
    this.end = this.pos + length
    return outer
  }

  /**
   * Skips the value of an unknown field. Fails on tags that are none: field number 0, wire types 6 and 7, the end
   * of a group that never started. `depth` is the number of messages and groups around the field.
   */
  skip (tag: number, depth: number): void {
    if (tag < 8) {
      this.fail()
      return
    }
    switch (tag & 7) {
      case VARINT:
        this.int32()
        return
      case I64:
        this.advance(8)
        return
      case LEN:
        this.advance(this.length())
        return
      case SGROUP:
        this.skipGroup(tag >>> 3, depth)
        return
      case I32:
        this.advance(4)
        return
      default:
        this.fail()
    }
  }

  /** Skips fields up to `end`. */
  skipFields (depth: number): void {
    while (this.pos < this.end) this.skip(this.tag(), depth)
  }

  private skipGroup (field: number, depth: number): void {
    if (depth >= MAX_DEPTH) {
      this.fail()
      return
    }
    for (;;) {
      const tag = this.tag()
      if ((tag & 7) === EGROUP) {
        if (tag >>> 3 !== field) this.fail()
        return
      }
      this.skip(tag, depth + 1)
      if (this.failed) return
    }
  }

  private advance (count: number): void {
    if (count <= this.end - this.pos) this.pos += count
    else this.fail()
  }

  /** A varint as a number, rounded above 2^53: for the cases where only small ones are of use. */
  private longVarint (maxBytes: number): number {
    const last = Math.min(this.end, this.pos + maxBytes)
    let value = 0
    let unit = 1
    for (let pos = this.pos; pos < last; unit *= 128) {
      const byte = this.bytes[pos++]
      value += (byte & 0x7f) * unit
      if (byte < 0x80) {
        this.pos = pos
        return value
      }
    }
    return this.fail()
  }

  private text (start: number, end: number): string {
    if (this.isAscii(start, end)) return this.bytes.toString('latin1', start, end)
    if (isUtf8(this.bytes.subarray(start, end))) return this.bytes.toString('utf8', start, end)
    this.fail()
    return ''
  }

  /** False for long strings, whatever is in them: there isUtf8 is faster. */
  private isAscii (start: number, end: number): boolean {
    if (end - start >= LONG_TEXT) return false
    const bytes = this.bytes
    for (let i = start; i < end; i++) {
      if (bytes[i] > 0x7f) return false
    }
    return true
  }
}

// Out of the box protobuf-es drops a leading U+FEFF of every string. An id must come out of every decoder of this
// process as the same key: else a message checked for user "\uFEFFbob" here would reach "bob" through a peer.
configureTextEncoding({
  ...getTextEncoding(),
  decodeUtf8 (bytes, strict) {
    if (strict && !isUtf8(bytes)) throw new TypeError('invalid UTF-8')
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8')
  },
})
