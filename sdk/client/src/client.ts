import { Connection } from './connection.js'
import { MicsError } from './errors.js'
import type { ClientEvents, ConnectAck, ConnectionState } from './events.js'
import { AckStatus, type ServerFrame } from './frames.js'
import { Inbox } from './inbox.js'
import { Listeners } from './listeners.js'
import type { MessageAck, OutgoingMessage } from './message.js'
import type { AbortSignalLike, MicsClientOptions } from './options.js'
import { abortReason, Outbox } from './outbox.js'
import { encryptedFrameOf, frameOf, outgoingOf } from './outgoing.js'
import { isFinal, reconnectDelayMs } from './reconnect.js'
import { settingsOf, timeout, type Settings } from './settings.js'
import type { Transport } from './transport.js'

/** The gateway's error for a frame that is larger than it takes. */
const FRAME_TOO_LARGE = 4401

export interface SendOptions {
  /** Milliseconds for the answer, instead of `sendTimeoutMs`; Infinity: for ever. */
  timeoutMs?: number
  /** Gives the message up. It may have been sent by then. */
  signal?: AbortSignalLike
}

/** What resolves when the client is connected. */
interface Connecting {
  promise: Promise<ConnectAck>
  resolve: (ack: ConnectAck) => void
  reject: (error: MicsError) => void
}

/**
 * One device of one user. It keeps a connection up: connects again where that helps, sends what has no answer again, in
 * order and under the same `msgId`, and hands on each message once.
 */
export class MicsClient {
  readonly #settings: Settings
  readonly #listeners = new Listeners()
  readonly #outbox: Outbox
  readonly #inbox: Inbox
  #state: ConnectionState = { name: 'offline' }
  /** The one that counts. Others may still be on their way out. */
  #connection?: Connection
  #left: Promise<void> = Promise.resolve()
  #attempts = 0
  #failures = 0
  #retry?: ReturnType<typeof setTimeout>
  #connecting?: Connecting
  /** Why there is no sending: it was closed, or ended. */
  #refusal?: MicsError
  #userId = ''
  /** Ends it that the transport wakes the client. */
  #sleep?: () => void
  /** Ends it that the signal ends the client. */
  #unheed?: () => void

  /** @throws {MicsError} MICS_INVALID_ARGUMENT, naming the option that cannot be used */
  constructor (options: MicsClientOptions & { transport: Transport }) {
    this.#settings = settingsOf(options)
    this.#outbox = new Outbox(this.#settings)
    this.#inbox = new Inbox(this.#listeners, this.#settings.encryption)
  }

  get state (): ConnectionState {
    return this.#state
  }

  /** Messages that wait for their answer, on their way or not. */
  get pending (): number {
    return this.#outbox.size
  }

  /** Calls back at each such event, until what it returns is called. A listener that throws is an `error` event. */
  on<E extends keyof ClientEvents> (event: E, listener: ClientEvents[E]): () => void {
    return this.#listeners.on(event, listener)
  }

  /**
   * Connects, and stays connected until `close()` or until the gateway says not to come back. Resolves when the client
   * is connected, at once if it is; until then it goes on trying. An app that looks at `state` instead may ignore what
   * it returns: there, a rejection is not reported as unhandled.
   * @throws {MicsError} MICS_CONNECTION_ENDED where connecting again would not help; MICS_CLIENT_CLOSED
   */
  connect (): Promise<ConnectAck> {
    if (this.#state.name === 'connected') {
      const { userId, deviceId, nodeId, traceId } = this.#state
      return Promise.resolve({ userId, deviceId, nodeId, traceId })
    }
    const { promise } = this.#connecting ??= newConnecting()
    if (this.#settings.signal?.aborted === true) {
      this.close()
    } else if (this.#state.name === 'offline' || this.#state.name === 'closed') {
      this.#refusal = undefined
      this.#failures = 0
      this.#heedSignal()
      this.#heedPlatform()
      this.#attempt()
    }
    return promise
  }

  /**
   * Sends a message, now or when the client is connected, and again until it is answered. Calls that follow each other
   * are sent in that order. Resolves when the gateway answers SENT.
   *
   * What the gateway FAILED it does not send again: that is for the app, by `isPassing` of the error.
   * @throws {MicsError} MICS_MESSAGE_FAILED; MICS_SEND_TIMEOUT; MICS_OUTBOX_FULL; MICS_BODY_TOO_LARGE;
   * MICS_ENCRYPTION_FAILED; MICS_CONNECTION_ENDED; MICS_CLIENT_CLOSED; MICS_INVALID_ARGUMENT. Where `signal` aborts,
   * its reason.
   */
  async send (message: OutgoingMessage, { timeoutMs, signal }: SendOptions = {}): Promise<MessageAck> {
    const settings = this.#settings
    const outgoing = outgoingOf(message, settings)
    const waiting = {
      msgId: outgoing.msgId,
      size: outgoing.body.length,
      timeoutMs: timeout('timeoutMs', timeoutMs, settings.sendTimeoutMs),
      signal,
    }
    if (signal?.aborted === true) throw abortReason(signal)
    this.#heedSignal()
    const refusal = this.#refusal ?? this.#outbox.refuses(waiting)
    if (refusal !== undefined) throw refusal
    const { encryption } = settings
    const frame = encryption === undefined ? frameOf(outgoing) : encryptedFrameOf(outgoing, encryption, settings)
    return await this.#outbox.add(waiting, frame)
  }

  /**
   * Leaves the connection it has and connects again, to another url perhaps: at once, or where it waits for the next
   * attempt, now. What the gateway has on its way still arrives first, for which it has 2 seconds. Does nothing where
   * the client is `offline` or `closed`.
   */
  reconnect (): void {
    if (this.#state.name === 'offline' || this.#state.name === 'closed') return
    this.#leave()
    this.#attempt()
  }

  /**
   * Ends the connection, normally. What waits for its answer rejects with MICS_CLIENT_CLOSED. Resolves when the gateway
   * has answered, or has not for 2 seconds; until then messages may still arrive. `connect()` works again after it.
   */
  async close (): Promise<void> {
    this.#leave()
    this.#stop(new MicsError('MICS_CLIENT_CLOSED', 'the client was closed'))
    if (this.#state.name !== 'offline') this.#become({ name: 'offline' })
    await this.#left
  }

  #attempt (): void {
    clearTimeout(this.#retry)
    const { urls } = this.#settings
    const url = typeof urls === 'function' ? '' : urls[this.#attempts++ % urls.length]
    const connection: Connection = new Connection(this.#settings, {
      onUrl: asked => { if (asked !== url) this.#become({ name: 'connecting', url: asked }) },
      onConnected: (url, ack) => this.#onConnected(connection, url, ack),
      onFrame: frame => this.#onFrame(frame),
      onBytes: (direction, bytes) => this.#listeners.emit('frame', direction, bytes),
      onError: error => this.#listeners.emit('error', error),
      onEnd: (code, reason) => this.#onEnd(connection, code, reason),
    })
    this.#connection = connection
    this.#become({ name: 'connecting', url })
    // What the former connection still brings comes first.
    this.#left.then(async () => await connection.open(typeof urls === 'function' ? urls : () => url))
  }

  #onConnected (connection: Connection, url: string, ack: ConnectAck): void {
    this.#failures = 0
    this.#userId = ack.userId
    this.#connecting?.resolve(ack)
    this.#connecting = undefined
    this.#become({ name: 'connected', url, ...ack })
    // A listener may have left it.
    if (connection === this.#connection) this.#outbox.start(frame => connection.send(frame))
  }

  #onFrame (frame: ServerFrame): void {
    switch (frame.case) {
      case 'delivery':
        if (frame.value.message !== undefined) this.#inbox.receive(frame.value.message, this.#userId)
        break
      case 'ack': {
        const ack: MessageAck = { ...frame.value, status: frame.value.status === AckStatus.SENT ? 'SENT' : 'FAILED' }
        this.#listeners.emit('ack', ack)
        this.#outbox.answered(ack)
        break
      }
      case 'error': {
        const { code, message } = frame.value
        const serverError = { code, message }
        if (code === FRAME_TOO_LARGE && this.#outbox.frameTooLarge(serverError)) break
        this.#listeners.emit('error', new MicsError('MICS_PROTOCOL_ERROR',
          `the gateway answered a frame with ${code}: ${message}`, { serverError }))
      }
    }
  }

  #onEnd (connection: Connection, code: number, reason: string): void {
    if (connection !== this.#connection) return
    this.#connection = undefined
    this.#outbox.stop()
    if (isFinal(code)) {
      this.#stop(new MicsError('MICS_CONNECTION_ENDED',
        `the gateway closed the connection with ${code}${reason === '' ? '' : `, ${reason}`}`,
        { closeCode: code, closeReason: reason }))
      this.#become({ name: 'closed', code, reason })
      return
    }
    const delayMs = reconnectDelayMs(code, this.#failures++, this.#settings.random())
    this.#retry = setTimeout(() => this.#attempt(), delayMs)
    this.#become({ name: 'waiting', retryAt: Date.now() + delayMs, code, reason })
  }

  #leave (): void {
    clearTimeout(this.#retry)
    const connection = this.#connection
    if (connection === undefined) return
    this.#connection = undefined
    this.#outbox.stop()
    this.#left = Promise.all([this.#left, connection.leave()]).then(() => {})
  }

  #stop (reason: MicsError): void {
    this.#sleep?.()
    this.#sleep = undefined
    this.#unheed?.()
    this.#unheed = undefined
    this.#refusal = reason
    this.#outbox.clear(reason)
    this.#connecting?.reject(reason)
    this.#connecting = undefined
  }

  /** From the first message or `connect()` on until it stops: a signal may live longer than many clients. */
  #heedSignal (): void {
    const { signal } = this.#settings
    if (signal === undefined || this.#unheed !== undefined || this.#refusal !== undefined) return
    const onAbort = (): void => { this.close() }
    if (signal.aborted) return onAbort()
    signal.addEventListener('abort', onAbort)
    this.#unheed = () => signal.removeEventListener('abort', onAbort)
  }

  #heedPlatform (): void {
    this.#sleep = this.#settings.transport.onWake?.(() => {
      if (this.#state.name === 'waiting') this.#attempt()
      else this.#connection?.probe()
    })
  }

  #become (state: ConnectionState): void {
    this.#state = state
    this.#listeners.emit('state', state)
  }
}

function newConnecting (): Connecting {
  const connecting = {} as Connecting
  connecting.promise = new Promise((resolve, reject) => Object.assign(connecting, { resolve, reject }))
  // For an app that does not wait for it: `state` says the same.
  connecting.promise.catch(() => {})
  return connecting
}
