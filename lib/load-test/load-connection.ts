import { connect as connectTcp, isIP, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { closeFrame, pingFrame, pongFrame } from './message-frame.js'
import { readServerFrame, type LoadAck, type ServerFrameListener } from './server-frames.js'
import { WebSocketFrames, type WebSocketListener } from './websocket-frames.js'

/** Where and as whom to connect. */
export interface LoadLogin {
  /** ws: or wss:, without /ws. */
  url: URL
  tenantId: string
  userId: string
  token: string
  deviceId: string
  localAddress?: string
  timeoutMs: number
}

/** How a connection ended. */
export interface LoadEnd {
  /** Whether there was a connect_ack before. */
  wasConnected: boolean
  /** A close code, `HTTP 503`, `ECONNREFUSED`, `timeout` and the like. */
  reason: string
  /** The words of the gateway, or of the system. */
  detail: string
  /** We have closed it. */
  isOurs: boolean
}

/** What a mode makes of what happens on a connection. */
export interface LoadConnectionListener {
  onConnected (connection: LoadConnection): void
  onAck (connection: LoadConnection, ack: LoadAck): void
  onDelivery (connection: LoadConnection, bytes: Buffer, at: number, length: number): void
  /** `ms`: since the heartbeat. */
  onPong (connection: LoadConnection, ms: number): void
  /** The gateway cannot use a frame of ours, or we cannot use one of its. */
  onComplaint (what: string): void
  /** Once. */
  onEnd (connection: LoadConnection, end: LoadEnd): void
}

const MAX_HEAD_BYTES = 16 * 1024

/** Of a sender: more is in the way of nothing but its own messages. */
const MAX_WAITING_BYTES = 4 * 1024 * 1024

/** All sockets of a thread read into it in turn: what comes is looked at before the next one reads. */
const received = Buffer.allocUnsafeSlow(256 * 1024)

/** The same for all: nobody but the gateway gains from a secret here. */
const KEY = 'bWljcyBsb2FkIHRlc3Rlcg=='

/** Connections with frames that are not written yet. */
let unflushed: LoadConnection[] = []

/** Writes what connections of this thread have been given to send, what came together in one call of the system. */
export function flushConnections (): void {
  if (unflushed.length === 0) return
  const connections = unflushed
  unflushed = []
  for (const connection of connections) connection.flush()
}

/** A WebSocket client that costs little: it copies what it sends once, and what it receives not at all. */
export class LoadConnection implements WebSocketListener, ServerFrameListener {
  isConnected = false
  /** What connect_ack says; until then, who it is meant to be. */
  userId: string
  /** When the attempt began, or was to begin. */
  readonly startedAt: number
  /** When connect_ack came. */
  connectedAt = 0
  readonly #socket: Socket
  readonly #frames = new WebSocketFrames(this)
  readonly #timer: NodeJS.Timeout
  #head: Buffer | undefined = Buffer.alloc(0)
  #waiting: Buffer[] = []
  #pingedAt = 0
  #end: Omit<LoadEnd, 'wasConnected' | 'isOurs'> | undefined
  #isOurs = false

  constructor (login: LoadLogin, private readonly listener: LoadConnectionListener, startedAt: number) {
    const { url, localAddress, timeoutMs } = login
    this.userId = login.userId
    this.startedAt = startedAt
    const isTls = url.protocol === 'wss:'
    const address = {
      host: url.hostname.replace(/^\[|\]$/g, ''),
      port: Number(url.port) || (isTls ? 443 : 80),
      localAddress,
      noDelay: true,
    }
    if (isTls) {
      // RFC 6066, 3: a server's name is no address.
      const socket = connectTls({ ...address, servername: isIP(address.host) === 0 ? address.host : '' })
      socket.on('data', chunk => this.#received(chunk, chunk.length))
      this.#socket = socket
    } else {
      const callback = (length: number): boolean => {
        this.#received(received, length)
        return true
      }
      this.#socket = connectTcp({ ...address, onread: { buffer: received, callback } })
    }
    this.#socket.once(isTls ? 'secureConnect' : 'connect', () => this.#socket.write(upgradeRequest(login)))
    this.#socket.on('error', (error: NodeJS.ErrnoException) => this.#ends(error.code ?? 'error', error.message))
    this.#socket.on('close', () => this.#closed())
    this.#timer = setTimeout(() => {
      this.#ends('timeout', `no connect_ack within ${timeoutMs} ms`)
      this.#socket.destroy()
    }, timeoutMs)
  }

  /** So much waits for the gateway to read that nothing more is to be sent for now. */
  get isStuck (): boolean {
    return this.#socket.writableLength > MAX_WAITING_BYTES
  }

  get isEnding (): boolean {
    return this.#end !== undefined || this.#isOurs
  }

  /** Written with the next flushConnections. */
  send (frame: Buffer): void {
    if (this.#waiting.length === 0) unflushed.push(this)
    this.#waiting.push(frame)
  }

  flush (): void {
    const frames = this.#waiting
    this.#waiting = []
    if (this.#socket.writable) this.#socket.write(frames.length === 1 ? frames[0] : Buffer.concat(frames))
  }

  /** Whether the answer to a heartbeat has not come yet. */
  get isPinged (): boolean {
    return this.#pingedAt !== 0
  }

  /** A heartbeat. False: the answer to the one before has not come yet. */
  ping (nowMs: number): boolean {
    if (!this.isConnected || this.isEnding || this.#pingedAt !== 0) return false
    this.#pingedAt = nowMs
    this.send(pingFrame)
    return true
  }

  /** Says goodbye; the gateway then ends the connection. */
  close (): void {
    if (this.isEnding) return
    this.#isOurs = true
    if (this.isConnected) {
      this.send(closeFrame)
      this.flush()
    } else {
      this.#socket.destroy()
    }
  }

  /** Ends it without a word, for one that does not end otherwise. */
  destroy (): void {
    this.#isOurs ||= this.#end === undefined
    this.#socket.destroy()
  }

  #received (chunk: Buffer, length: number): void {
    if (this.#head === undefined) {
      this.#frames.push(chunk, length)
    } else {
      this.#upgraded(chunk, length)
    }
    flushConnections()
  }

  /** The answer to the upgrade, which may come in pieces, and frames right behind it. */
  #upgraded (chunk: Buffer, length: number): void {
    const head = Buffer.concat([this.#head as Buffer, chunk.subarray(0, length)])
    this.#head = head
    const end = head.indexOf('\r\n\r\n')
    if (end === -1) {
      if (head.length <= MAX_HEAD_BYTES) return
      this.#ends('no HTTP', `more than ${MAX_HEAD_BYTES} bytes of headers`)
      this.#socket.destroy()
      return
    }
    const [status] = head.toString('latin1', 0, end).split('\r\n')
    const [, code] = /^HTTP\/1\.1 (\d{3})\b/.exec(status) ?? []
    if (code !== '101') {
      this.#ends(code === undefined ? 'no HTTP' : `HTTP ${code}`, status.slice(0, 200))
      this.#socket.destroy()
      return
    }
    this.#head = undefined
    if (end + 4 < head.length) this.#frames.push(head.subarray(end + 4), head.length - end - 4)
  }

  onBinary (bytes: Buffer, start: number, end: number): void {
    readServerFrame(bytes, start, end, this)
  }

  onPing (payload: Buffer): void {
    this.send(pongFrame(payload))
  }

  onClose (code: number, reason: string): void {
    this.#ends(String(code), reason)
    // RFC 6455, 7.1.1: it is answered, and the server closes TCP. Where it does not, we do.
    if (this.#isOurs) return
    this.send(closeFrame)
    this.flush()
    this.#socket.end()
  }

  onProtocolError (what: string): void {
    this.#ends('protocol error', what)
    this.#socket.destroy()
  }

  onConnectAck (userId: string): void {
    if (this.isConnected) return
    clearTimeout(this.#timer)
    this.userId = userId
    this.isConnected = true
    this.connectedAt = performance.now()
    this.listener.onConnected(this)
  }

  onAck (ack: LoadAck): void {
    this.listener.onAck(this, ack)
  }

  onDelivery (bytes: Buffer, at: number, length: number): void {
    this.listener.onDelivery(this, bytes, at, length)
  }

  onPong (): void {
    if (this.#pingedAt === 0) return
    const ms = performance.now() - this.#pingedAt
    this.#pingedAt = 0
    this.listener.onPong(this, ms)
  }

  onServerError (code: number, message: string): void {
    this.listener.onComplaint(`error ${code} ${message}`)
  }

  onBadFrame (): void {
    this.listener.onComplaint('a frame that is no ServerFrame')
  }

  #ends (reason: string, detail: string): void {
    this.#end ??= { reason, detail }
  }

  #closed (): void {
    clearTimeout(this.#timer)
    const end = this.#end ?? { reason: '1006', detail: 'the connection broke without a close frame' }
    const wasConnected = this.isConnected
    this.isConnected = false
    this.listener.onEnd(this, { ...end, wasConnected, isOurs: this.#isOurs })
  }
}

function upgradeRequest ({ url, tenantId, deviceId, token }: LoadLogin): string {
  const path = url.pathname.replace(/\/$/, '')
  return [
    `GET ${path}/ws?${new URLSearchParams({ tenantId, deviceId }).toString()} HTTP/1.1`,
    `Host: ${url.host}`,
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    `Sec-WebSocket-Key: ${KEY}`,
    `Sec-WebSocket-Protocol: mics.v1, mics.token.${Buffer.from(token).toString('base64url')}`,
    '\r\n',
  ].join('\r\n')
}
