/** Hears of the frames of a server. What it gets is valid only during the call. */
export interface WebSocketListener {
  onBinary (bytes: Buffer, start: number, end: number): void
  onPing (payload: Buffer): void
  /** `code` is 1005 where the frame has none. */
  onClose (code: number, reason: string): void
  /** What breaks RFC 6455, or is larger than anything a gateway sends; nothing comes after it. */
  onProtocolError (what: string): void
}

/** As large as a gateway's largest setting of MAX_MESSAGE_BYTES, and more. */
const MAX_FRAME_BYTES = 128 * 1024 * 1024

const FIN = 0x80
const RSV = 0x70
const MASK = 0x80
const CONTINUATION = 0
const TEXT = 1
const BINARY = 2
const CLOSE = 8
const PING = 9
const PONG = 10

/** Takes the bytes of a server apart into frames (RFC 6455, 5.2). Whole messages are read where they are. */
export class WebSocketFrames {
  /** The beginning of a frame of which the rest has not come. */
  #rest: Buffer | undefined
  #fragments: Buffer[] | undefined
  #fragmentBytes = 0
  #isOver = false

  constructor (private readonly listener: WebSocketListener) {}

  /** The first `length` of `chunk`, which may be used for something else afterwards. */
  push (chunk: Buffer, length: number): void {
    let bytes = chunk
    let end = length
    if (this.#rest !== undefined) {
      bytes = Buffer.concat([this.#rest, chunk.subarray(0, length)])
      end = bytes.length
      this.#rest = undefined
    }
    let pos = 0
    while (!this.#isOver && end - pos >= 2) {
      const next = this.#frame(bytes, pos, end)
      if (next === -1) break
      pos = next
    }
    if (pos < end && !this.#isOver) this.#rest = Buffer.from(bytes.subarray(pos, end))
  }

  /** Where the next frame begins; -1: this one is not there as a whole. */
  #frame (bytes: Buffer, pos: number, end: number): number {
    const first = bytes[pos]
    const second = bytes[pos + 1]
    if ((first & RSV) !== 0 || (second & MASK) !== 0) return this.#broken('a frame with reserved bits, or masked')
    let start = pos + 2
    let length = second
    if (length === 126) {
      if (end < pos + 4) return -1
      length = bytes.readUInt16BE(pos + 2)
      start = pos + 4
    } else if (length === 127) {
      if (end < pos + 10) return -1
      length = bytes.readUInt32BE(pos + 2) * 0x1_0000_0000 + bytes.readUInt32BE(pos + 6)
      start = pos + 10
    }
    if (length > MAX_FRAME_BYTES) return this.#broken(`a frame of ${length} bytes`)
    const next = start + length
    if (next > end) return -1
    const isLast = (first & FIN) !== 0
    switch (first & 15) {
      case BINARY:
        if (this.#fragments !== undefined) return this.#broken('a message within another')
        if (isLast) this.listener.onBinary(bytes, start, next)
        else this.#fragment(bytes.subarray(start, next), (this.#fragments = []), false)
        return next
      case CONTINUATION:
        if (this.#fragments === undefined) return this.#broken('the continuation of nothing')
        this.#fragment(bytes.subarray(start, next), this.#fragments, isLast)
        return next
      case PING:
        this.listener.onPing(bytes.subarray(start, next))
        return next
      case PONG:
        return next
      case CLOSE:
        this.#isOver = true
        this.listener.onClose(length < 2 ? 1005 : bytes.readUInt16BE(start), bytes.toString('utf8', Math.min(start + 2, next), next))
        return next
      case TEXT:
        return this.#broken('a text frame')
      default:
        return this.#broken(`a frame with opcode ${first & 15}`)
    }
  }

  #fragment (part: Buffer, fragments: Buffer[], isLast: boolean): void {
    this.#fragmentBytes += part.length
    if (this.#fragmentBytes > MAX_FRAME_BYTES) {
      this.#broken(`a message of ${this.#fragmentBytes} bytes`)
      return
    }
    fragments.push(Buffer.from(part))
    if (!isLast) return
    const message = Buffer.concat(fragments)
    this.#fragments = undefined
    this.#fragmentBytes = 0
    this.listener.onBinary(message, 0, message.length)
  }

  #broken (what: string): -1 {
    this.#isOver = true
    this.listener.onProtocolError(what)
    return -1
  }
}
