import { base64url } from './base64url.js'
import { MicsError, textOf } from './errors.js'
import type { ConnectAck } from './events.js'
import { decodeServerFrame, encodeClientFrame, type ServerFrame } from './frames.js'
import { Heartbeat } from './heartbeat.js'
import type { Settings } from './settings.js'
import type { Socket } from './transport.js'
import { Upload } from './upload.js'
import { encodeUtf8 } from './utf8.js'

/** Milliseconds for the gateway to answer a close. */
const LEAVE_MS = 2000

/** A connection that broke, or could not be made: WebSocket's own code for it. */
const BROKEN = 1006

export interface ConnectionEvents {
  onUrl (url: string): void
  onConnected (url: string, ack: ConnectAck): void
  /** Acks, deliveries and errors. */
  onFrame (frame: ServerFrame): void
  onBytes (direction: 'in' | 'out', bytes: Uint8Array): void
  onError (error: MicsError): void
  /** Exactly once, unless it is left before it is connected. Nothing comes after it. */
  onEnd (code: number, reason: string): void
}

/** One attempt to connect, and the connection that comes of it. */
export class Connection {
  readonly #settings: Settings
  readonly #events: ConnectionEvents
  readonly #heartbeat: Heartbeat
  #socket?: Socket
  #upload?: Upload
  #isConnected = false
  #isOver = false
  #timer?: ReturnType<typeof setTimeout>
  #left?: () => void

  constructor (settings: Settings, events: ConnectionEvents) {
    this.#settings = settings
    this.#events = events
    this.#heartbeat = new Heartbeat({
      intervalMs: Math.ceil(settings.heartbeatTimeoutMs / 3),
      every: settings.transport.every?.bind(settings.transport) ?? everyInterval,
      ping: () => this.send(encodeClientFrame({ case: 'heartbeatPing', value: { timestampMs: Date.now() } })),
      isSending: () => this.#upload?.look() ?? false,
      onSilence: () => this.#drop('the gateway does not answer heartbeats'),
    })
  }

  async open (askUrl: () => string | Promise<string>): Promise<void> {
    if (this.#isOver) return
    try {
      const url = await askUrl()
      if (this.#isOver) return
      this.#events.onUrl(url)
      const token = await this.#settings.token()
      if (this.#isOver) return
      this.#connect(url, token)
    } catch (error) {
      if (this.#isOver) return
      if (error instanceof MicsError) this.#events.onError(error)
      this.#end(BROKEN, textOf(error))
    }
  }

  /** Only for a connection that is connected. */
  send (bytes: Uint8Array): void {
    if (this.#isOver || this.#socket === undefined) return
    try {
      this.#socket.send(bytes)
      this.#upload?.add(bytes.length)
    } catch (error) {
      // What was not sent would be missed by nobody: after the end of the connection it is sent again.
      this.#drop(textOf(error))
      return
    }
    this.#events.onBytes('out', bytes)
  }

  /** Finds out soon whether it is dead. */
  probe (): void {
    this.#heartbeat.probe()
  }

  /** Ends it with 1000. Until that is through, which is when this resolves, what arrives is still handed on. */
  async leave (): Promise<void> {
    if (this.#isOver) return
    if (!this.#isConnected || this.#socket === undefined) {
      this.#isOver = true
      this.#stop()
      this.#letGo()
      return
    }
    const left = new Promise<void>(resolve => { this.#left = resolve })
    this.#heartbeat.stop()
    this.#timer = setTimeout(() => this.#drop('the gateway did not answer the close'), LEAVE_MS)
    try {
      this.#socket.close(1000, '')
    } catch (error) {
      this.#drop(textOf(error))
    }
    await left
  }

  #connect (url: string, token: string): void {
    const { tenantId, deviceId, transport, connectTimeoutMs } = this.#settings
    const query = `tenantId=${encodeURIComponent(tenantId)}&deviceId=${encodeURIComponent(deviceId)}`
    // As a subprotocol the token stays out of the access logs on the way.
    const protocols = ['mics.v1', `mics.token.${base64url(encodeUtf8(token))}`]
    this.#timer = setTimeout(() => this.#drop(`no connect_ack within ${connectTimeoutMs} ms`), connectTimeoutMs)
    this.#socket = transport.open(`${url.replace(/\/+$/, '')}/ws?${query}`, protocols, {
      onOpen: () => {},
      onMessage: data => this.#received(url, data),
      onClose: (code, reason) => this.#end(code, reason),
    })
    this.#upload = new Upload(this.#socket)
  }

  #received (url: string, data: Uint8Array | string): void {
    if (this.#isOver) return
    this.#heartbeat.heard()
    if (typeof data === 'string') {
      this.#unreadable('a text frame')
      return
    }
    this.#events.onBytes('in', data)
    let frame
    try {
      frame = decodeServerFrame(data)
    } catch (cause) {
      this.#unreadable('what is no frame', cause)
      return
    }
    if (frame === undefined) return
    if (frame.case === 'connectAck') this.#acknowledged(url, frame.value)
    else if (frame.case !== 'heartbeatPong') this.#events.onFrame(frame)
  }

  #acknowledged (url: string, { userId, deviceId, nodeId, traceId }: ConnectAck): void {
    if (this.#isConnected) return
    this.#isConnected = true
    clearTimeout(this.#timer)
    this.#heartbeat.start()
    this.#events.onConnected(url, { userId, deviceId, nodeId, traceId })
  }

  /** A gateway sends no such thing. Once it has let the client in, the frame is passed over: its next may be fine. */
  #unreadable (what: string, cause?: unknown): void {
    this.#events.onError(new MicsError('MICS_PROTOCOL_ERROR', `the gateway sent ${what}`, { cause }))
    if (!this.#isConnected) this.#drop('it is no gateway')
  }

  #drop (reason: string): void {
    this.#letGo()
    this.#end(BROKEN, reason)
  }

  #letGo (): void {
    try {
      this.#socket?.terminate()
    } catch {
      // Then there is nothing to let go of, and the connection is over all the same.
    }
  }

  #end (code: number, reason: string): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#stop()
    this.#left?.()
    this.#events.onEnd(code, reason)
  }

  #stop (): void {
    clearTimeout(this.#timer)
    this.#heartbeat.stop()
  }
}

function everyInterval (ms: number, listener: () => void): () => void {
  const timer = setInterval(listener, ms)
  return () => clearInterval(timer)
}
