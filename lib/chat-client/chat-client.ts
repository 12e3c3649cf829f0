import { create, fromBinary, toBinary, type MessageInitShape } from '@bufbuild/protobuf'
import { WebSocket } from 'ws'
import {
  AckStatus, ClientFrameSchema, MessageAckSchema, ServerFrameSchema,
  type ConnectAck, type MessageAck, type MessageRequest, type MessageRequestSchema, type ServerError, type ServerFrame,
} from '../gen/mics/message/v1/message_pb.js'
import { FrameError } from '../protocol/server-errors.js'
import { isFinal, reconnectDelayMs } from './reconnecting.js'
import { SeenKeys } from './seen-keys.js'

/** Milliseconds for the upgrade to be answered. */
const UPGRADE_MS = 10_000

/** Milliseconds for the gateway to answer a close. */
const CLOSE_MS = 2000

/** Heartbeats without a single frame from the gateway after which the connection counts as dead. */
const SILENT_HEARTBEATS = 3

/** Codes of errors that a gateway answers a frame with instead of an ack. Heartbeats meet none of them. */
const frameErrors = new Set<number>(Object.values(FrameError))

/** Messages received that repeats are recognized by. */
const SEEN_MESSAGES = 10_000

export interface ChatClientOptions {
  /** Gateways, such as `ws://localhost:8080`: one after another, each time it connects again. At least one. */
  urls: readonly string[]
  tenantId: string
  deviceId: string
  token: string
  /** Milliseconds between heartbeats: a third of the tenant's window. */
  heartbeatMs: number
  /** What happens, in order. */
  onEvent: (event: ClientEvent) => void
  /** From 0 to 1, for delays. */
  random?: () => number
}

export type ClientEvent =
  | { type: 'connected', url: string, connectAck: ConnectAck }
  /** `isRepeat`: this client has had it before, as it may happen when a connection or a node ends. */
  | { type: 'message', message: MessageRequest, isRepeat: boolean }
  /** Made by the client after an `error` about a message's frame: FAILED, with the error's message for a reason. */
  | { type: 'ack', ack: MessageAck }
  | { type: 'error', error: ServerError }
  /** `retryMs`: milliseconds until it connects again; undefined: it does not. */
  | { type: 'closed', code: number, reason: string, retryMs?: number }

/** A message to send; `msgId` is what repeats are recognized by, so it is not the gateway's to choose: not empty. */
export type OutgoingMessage = MessageInitShape<typeof MessageRequestSchema> & { msgId: string }

/** The connection ended, and connecting again would not help. */
export class ConnectionEndedError extends Error {
  readonly code = 'MICS_CONNECTION_ENDED'

  constructor (readonly closeCode: number, readonly reason: string) {
    super(`the connection was closed with ${closeCode}${reason === '' ? '' : `, ${reason}`}`)
    this.name = 'ConnectionEndedError'
  }
}

interface Waiting {
  message: OutgoingMessage
  resolve: (ack: MessageAck) => void
  reject: (error: ConnectionEndedError) => void
}

/**
 * One device of one user, as docs/protocol.md asks of clients: it sends heartbeats, connects again where that helps,
 * sends what has no ack again under the same `msg_id`, and recognizes repeats. It connects when it is made.
 *
 * Messages go out one after another, each when the one before it is answered. That keeps them in order when they are
 * sent again, and tells which one an error is about: errors name none.
 */
export class ChatClient {
  /** Resolves when the connection has ended for good: with an error, or with nothing after `close`. */
  readonly ended: Promise<ConnectionEndedError | undefined>
  readonly #options: ChatClientOptions
  readonly #random: () => number
  /** Not answered yet; of these only the first is on its way. */
  readonly #waiting: Waiting[] = []
  readonly #seen = new SeenKeys(SEEN_MESSAGES)
  #ws!: WebSocket
  #attempts = 0
  #failures = 0
  #isConnected = false
  #isClosing = false
  #retryTimer?: NodeJS.Timeout
  #end!: (error?: ConnectionEndedError) => void
  #error?: ConnectionEndedError

  constructor (options: ChatClientOptions) {
    this.#options = options
    this.#random = options.random ?? Math.random
    this.ended = new Promise(resolve => { this.#end = resolve })
    this.#connect()
  }

  /**
   * Sends it in its turn, and again until it is answered. Whether that says SENT or FAILED is for the caller. So is how
   * many there are: what is not answered yet is kept.
   * @throws {ConnectionEndedError} where the connection ended for good before that.
   */
  async send (message: OutgoingMessage): Promise<MessageAck> {
    if (this.#error !== undefined) throw this.#error
    return await new Promise((resolve, reject) => {
      this.#waiting.push({ message, resolve, reject })
      if (this.#waiting.length === 1) this.#sendFirst()
    })
  }

  /** Leaves with 1000. `ended` resolves when the gateway has answered, or has not for 2 seconds. */
  close (): void {
    if (this.#isClosing) return
    this.#isClosing = true
    if (this.#retryTimer !== undefined) {
      this.#finish(new ConnectionEndedError(1000, ''))
      return
    }
    const ws = this.#ws
    ws.close(1000)
    setTimeout(() => ws.terminate(), CLOSE_MS).unref()
  }

  #connect (): void {
    this.#retryTimer = undefined
    const { urls, tenantId, deviceId, token, heartbeatMs } = this.#options
    const url = urls[this.#attempts++ % urls.length]
    const query = new URLSearchParams({ tenantId, deviceId })
    // As a subprotocol it stays out of the access logs on the way.
    const protocols = ['mics.v1', `mics.token.${Buffer.from(token).toString('base64url')}`]
    const ws = new WebSocket(`${url}/ws?${query}`, protocols, { handshakeTimeout: UPGRADE_MS })
    this.#ws = ws
    let problem = ''
    let silentHeartbeats = 0
    const heartbeats = setInterval(() => {
      if (ws.readyState === WebSocket.CONNECTING) return
      if (++silentHeartbeats > SILENT_HEARTBEATS) ws.terminate()
      else if (ws.readyState === WebSocket.OPEN) this.#sendHeartbeat()
    }, heartbeatMs)
    ws.on('error', error => { problem = error.message })
    ws.on('message', (data: Buffer) => {
      silentHeartbeats = 0
      const frame = decode(data)
      if (frame !== undefined) {
        this.#received(url, frame)
        return
      }
      problem = 'it sent what is no ServerFrame'
      ws.terminate()
    })
    ws.on('close', (code, reason) => {
      clearInterval(heartbeats)
      this.#isConnected = false
      this.#closed(code, reason.toString() || problem)
    })
  }

  #received (url: string, { payload }: ServerFrame): void {
    const { onEvent } = this.#options
    switch (payload.case) {
      case 'connectAck':
        this.#failures = 0
        this.#isConnected = true
        onEvent({ type: 'connected', url, connectAck: payload.value })
        this.#sendFirst()
        break
      case 'delivery': {
        const { message } = payload.value
        if (message === undefined) break
        const isNew = this.#seen.add(JSON.stringify([message.userId, message.deviceId, message.msgId]))
        onEvent({ type: 'message', message, isRepeat: !isNew })
        break
      }
      case 'ack':
        this.#answered(payload.value)
        break
      case 'error': {
        const { code, message } = payload.value
        onEvent({ type: 'error', error: payload.value })
        const msgId = this.#waiting[0]?.message.msgId
        // Sent again, it would meet the same.
        if (msgId !== undefined && frameErrors.has(code)) {
          this.#answered(create(MessageAckSchema, { msgId, status: AckStatus.FAILED, reason: message }))
        }
        break
      }
    }
  }

  #answered (ack: MessageAck): void {
    const first = this.#waiting[0]?.message.msgId === ack.msgId ? this.#waiting.shift() : undefined
    this.#options.onEvent({ type: 'ack', ack })
    if (first === undefined) return
    first.resolve(ack)
    this.#sendFirst()
  }

  #closed (code: number, reason: string): void {
    const { onEvent } = this.#options
    if (this.#isClosing || isFinal(code)) {
      onEvent({ type: 'closed', code, reason })
      this.#finish(new ConnectionEndedError(code, reason))
      return
    }
    const retryMs = Math.round(reconnectDelayMs(code, this.#failures++, this.#random()))
    onEvent({ type: 'closed', code, reason, retryMs })
    // onEvent may have closed this client.
    if (this.#isClosing) this.#finish(new ConnectionEndedError(code, reason))
    else this.#retryTimer = setTimeout(() => this.#connect(), retryMs)
  }

  #finish (error: ConnectionEndedError): void {
    clearTimeout(this.#retryTimer)
    this.#error = error
    for (const { reject } of this.#waiting.splice(0)) reject(error)
    this.#end(this.#isClosing ? undefined : error)
  }

  #sendFirst (): void {
    const first = this.#waiting[0]
    if (first !== undefined && this.#isConnected) this.#sendFrame({ payload: { case: 'message', value: first.message } })
  }

  #sendHeartbeat (): void {
    this.#sendFrame({ payload: { case: 'heartbeatPing', value: { timestampMs: BigInt(Date.now()) } } })
  }

  #sendFrame (frame: MessageInitShape<typeof ClientFrameSchema>): void {
    // Where the connection has just ended there is an error, which its close will tell as well.
    this.#ws.send(toBinary(ClientFrameSchema, create(ClientFrameSchema, frame)), () => {})
  }
}

/** Undefined where the bytes are no ServerFrame. */
function decode (data: Buffer): ServerFrame | undefined {
  try {
    return fromBinary(ServerFrameSchema, data)
  } catch {
    return undefined // Then it is no gateway: the caller hangs up and says so.
  }
}
