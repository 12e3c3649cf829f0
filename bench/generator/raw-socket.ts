import { connect, type Socket } from 'node:net'

export const Opcode = { CLOSE: 8, PING: 9 } as const

/** What a client masks its frames with (RFC 6455, 5.3). Always the same: servers undo it like any other. */
const MASK = Buffer.from([0x37, 0xfa, 0x21, 0x3d])

const EMPTY_PONG = Buffer.from([0x8a, 0x80, ...MASK])

const END_OF_HEADERS = Buffer.from('\r\n\r\n')

/** All sockets are read into this one: what is read is looked at before the next read. */
const readBuffer = Buffer.allocUnsafeSlow(256 * 1024)

export interface RawSocketOptions {
  port: number
  /** The path of the upgrade request. */
  path: string
  /** Another address of this machine, where one does not have enough ports. */
  localAddress?: string
}

/**
 * A WebSocket client that costs a load generator as little as possible: frames are made beforehand, and what arrives is
 * looked at in place. It takes no fragmented messages; no server here sends any.
 */
export class RawSocket {
  /** A frame with data: `bytes` from `start` to `end`, only until it returns. */
  onFrame: (bytes: Buffer, start: number, end: number) => void = () => {}
  /** All frames of one read have been handed over. */
  onReadEnd: () => void = () => {}
  /** The connection is gone, whoever ended it. */
  onClose: (why: string) => void = () => {}

  private readonly socket: Socket
  private isUpgraded = false
  /** The beginning of a frame whose end has not come. */
  private rest?: Buffer
  private why = 'the connection was closed'

  constructor ({ port, path, localAddress }: RawSocketOptions) {
    this.socket = connect({
      host: '127.0.0.1',
      port,
      localAddress,
      noDelay: true,
      onread: {
        buffer: readBuffer,
        callback: length => {
          this.read(length)
          return true
        },
      },
    })
    this.socket.on('error', error => { this.why = error.message })
    this.socket.on('close', () => this.onClose(this.why))
    this.socket.write(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
      'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n')
  }

  /** Sends frames as they are. Keep them unchanged. */
  write (frames: Buffer): void {
    this.socket.write(frames)
  }

  /** Ends the connection without a word. */
  destroy (): void {
    this.socket.destroy()
  }

  private read (length: number): void {
    let bytes = readBuffer
    if (this.rest !== undefined) {
      bytes = Buffer.concat([this.rest, readBuffer.subarray(0, length)])
      length = bytes.length
    }
    const used = this.take(bytes, length)
    this.rest = used < length ? Buffer.from(bytes.subarray(used, length)) : undefined
    this.onReadEnd()
  }

  /** Returns how many bytes were taken. */
  private take (bytes: Buffer, length: number): number {
    let at = 0
    if (!this.isUpgraded) {
      const end = bytes.subarray(0, length).indexOf(END_OF_HEADERS)
      if (end === -1) return 0
      if (!bytes.toString('latin1', 0, 13).includes(' 101')) {
        this.why = `the upgrade was refused: ${bytes.toString('latin1', 0, bytes.indexOf('\r'))}`
        this.destroy()
        return length
      }
      this.isUpgraded = true
      at = end + END_OF_HEADERS.length
    }
    while (length - at >= 2) {
      let size = bytes[at + 1] & 0x7f
      let start = at + 2
      if (size === 126) {
        if (length - at < 4) break
        size = bytes.readUInt16BE(start)
        start += 2
      } else if (size === 127) {
        if (length - at < 10) break
        size = Number(bytes.readBigUInt64BE(start))
        start += 8
      }
      if (length - start < size) break
      this.frame(bytes[at] & 0x0f, bytes, start, start + size)
      at = start + size
    }
    return at
  }

  private frame (opcode: number, bytes: Buffer, start: number, end: number): void {
    if (opcode < Opcode.CLOSE) {
      this.onFrame(bytes, start, end)
    } else if (opcode === Opcode.PING) {
      this.socket.write(EMPTY_PONG)
    } else if (opcode === Opcode.CLOSE) {
      this.why = `the server closed it: ${bytes.readUInt16BE(start)} ${bytes.toString('utf8', start + 2, end)}`
      this.destroy()
    }
  }
}

/** A client's frame around this payload. */
export function clientFrame (payload: Uint8Array, kind: 'text' | 'binary'): Buffer {
  const size = payload.length
  const head = size < 126 ? [size | 0x80] : [0xfe, size >> 8, size & 0xff]
  if (size > 0xffff) throw new RangeError('the bench sends no frames of more than 65,535 bytes')
  const frame = Buffer.from([kind === 'text' ? 0x81 : 0x82, ...head, ...MASK, ...payload])
  for (let i = frame.length - size, n = 0; i < frame.length; i++, n++) frame[i] ^= MASK[n & 3]
  return frame
}

/** What a byte at this place of a frame's payload is masked with. */
export function maskAt (place: number): number {
  return MASK[place & 3]
}
