import { isPassing } from './ack-reasons.js'
import { MicsError, type ServerError } from './errors.js'
import type { MessageAck } from './message.js'
import type { AbortSignalLike } from './options.js'

export interface OutboxLimits {
  maxInFlight: number
  outboxMaxMessages: number
  outboxMaxBytes: number
}

export interface Waiting {
  msgId: string
  /** Bytes of its body, as the app gave it. */
  size: number
  timeoutMs: number
  signal?: AbortSignalLike
}

interface Entry extends Waiting {
  /** Undefined while it is being encrypted. Kept for repeats: they must have the same content. */
  frame?: Uint8Array
  wasSent: boolean
  resolve: (ack: MessageAck) => void
  /** Takes it out. */
  reject: (reason: unknown) => void
}

/**
 * Messages without an answer. They go out in the order in which they came, several at once, and again on the next
 * connection until they are answered.
 *
 * What a connection brings may overtake what the former one had no ack for. So what was on its way then goes again
 * alone, each after the ack of the one before, and what is new comes behind that.
 */
export class Outbox {
  readonly #limits: OutboxLimits
  /** In the order of `add`. Those that were sent come first, because that is also the order on the wire. */
  readonly #entries = new Map<string, Entry>()
  #bytes = 0
  #send?: (frame: Uint8Array) => void
  /** On this connection and without an answer; with the size of the frame. */
  readonly #inFlight = new Map<string, number>()
  /** Sent on this connection, and given up by the app before there was an answer. Only their sizes matter. */
  readonly #givenUp = new Map<string, number>()
  #isRepeating = false

  constructor (limits: OutboxLimits) {
    this.#limits = limits
  }

  get size (): number {
    return this.#entries.size
  }

  /**
   * Takes it, in its turn. Resolves with the gateway's answer, SENT.
   * @param frame what is sent; where it rejects, so does this
   */
  async add (waiting: Waiting, frame: Uint8Array | Promise<Uint8Array>): Promise<MessageAck> {
    const { msgId, size, timeoutMs, signal } = waiting
    return await new Promise((resolve, reject) => {
      let timer: ReturnType<typeof setTimeout> | undefined
      const leave = (): void => {
        clearTimeout(timer)
        signal?.removeEventListener('abort', abort)
        this.#remove(entry)
      }
      const entry: Entry = {
        ...waiting,
        wasSent: false,
        resolve: ack => {
          leave()
          resolve(ack)
        },
        reject: reason => {
          leave()
          reject(reason)
        },
      }
      const abort = (): void => { if (signal !== undefined) this.#giveUp(entry, abortReason(signal)) }
      if (timeoutMs !== Infinity) timer = setTimeout(() => this.#giveUp(entry, timedOut(entry)), timeoutMs)
      signal?.addEventListener('abort', abort)
      this.#entries.set(msgId, entry)
      this.#bytes += size
      this.#ready(entry, frame)
    })
  }

  /** Why a message cannot be taken now; undefined where it can. */
  refuses ({ msgId, size }: Pick<Waiting, 'msgId' | 'size'>): MicsError | undefined {
    const { outboxMaxMessages, outboxMaxBytes } = this.#limits
    if (this.#entries.has(msgId)) {
      return new MicsError('MICS_INVALID_ARGUMENT', `a message with the msgId ${msgId} waits for its answer already: leave msgId out for a new one`)
    }
    if (this.#entries.size < outboxMaxMessages && this.#bytes + size <= outboxMaxBytes) return undefined
    return new MicsError('MICS_OUTBOX_FULL', `${this.#entries.size} messages with ${this.#bytes} bytes wait for their answer already, and ${outboxMaxMessages} with ${outboxMaxBytes} may: send it when some of them are answered`, { isPassing: true })
  }

  /** There is a connection to send with. */
  start (send: (frame: Uint8Array) => void): void {
    this.#send = send
    this.#pump()
  }

  /** The connection is gone. */
  stop (): void {
    this.#send = undefined
    this.#inFlight.clear()
    this.#givenUp.clear()
    this.#isRepeating = false
  }

  /** Nothing will be answered any more. */
  clear (reason: MicsError): void {
    this.stop()
    for (const { reject } of [...this.#entries.values()]) reject(reason)
  }

  answered (ack: MessageAck): void {
    this.#givenUp.delete(ack.msgId)
    const entry = this.#entries.get(ack.msgId)
    // One that was not sent has the id of one that was given up, whose answer this is. Its own will come.
    if (entry === undefined || !entry.wasSent) return
    if (ack.status === 'SENT') {
      entry.resolve(ack)
    } else {
      entry.reject(new MicsError('MICS_MESSAGE_FAILED', `the message failed: ${ack.reason}`,
        { ack, isPassing: isPassing(ack.reason) }))
    }
    this.#pump()
  }

  /**
   * The gateway met a frame that is larger than it takes, and does not say which. It answers each frame, and its limit
   * is the same for all: so if one of them is too large the largest one is, and this is the answer to one like it.
   * Returns whether there was any.
   */
  frameTooLarge (serverError: ServerError): boolean {
    const [msgId, size] = [...this.#inFlight, ...this.#givenUp]
      .reduce((largest, one) => one[1] > largest[1] ? one : largest, ['', 0])
    // One that was given up and sent again is on its way twice, and answered twice.
    if (this.#inFlight.has(msgId)) {
      this.#entries.get(msgId)?.reject(new MicsError('MICS_BODY_TOO_LARGE',
        `the gateway does not take frames as large as this one, of ${size} bytes: send less at once`, { serverError }))
    } else {
      this.#givenUp.delete(msgId)
    }
    this.#pump()
    return msgId !== ''
  }

  #ready (entry: Entry, frame: Uint8Array | Promise<Uint8Array>): void {
    if (frame instanceof Uint8Array) {
      entry.frame = frame
      this.#pump()
    } else {
      frame.then(bytes => { entry.frame = bytes }, entry.reject).finally(() => this.#pump())
    }
  }

  #pump (): void {
    for (const entry of this.#entries.values()) {
      if (this.#send === undefined || this.#inFlight.size >= (this.#isRepeating ? 1 : this.#limits.maxInFlight)) return
      if (this.#inFlight.has(entry.msgId)) continue
      // The order of `add` holds for those behind it, too.
      if (entry.frame === undefined) return
      if (entry.wasSent) {
        // Only after what was sent before it on this connection: nothing, then, but other repeats.
        this.#isRepeating = true
      }
      entry.wasSent = true
      this.#inFlight.set(entry.msgId, entry.frame.length)
      this.#send(entry.frame)
    }
  }

  #giveUp (entry: Entry, reason: unknown): void {
    const size = this.#inFlight.get(entry.msgId)
    entry.reject(reason)
    if (size !== undefined) this.#remember(entry.msgId, size)
    this.#pump()
  }

  /** Bounded, for a gateway that answers nothing. */
  #remember (msgId: string, size: number): void {
    this.#givenUp.set(msgId, size)
    const [oldest] = this.#givenUp.keys()
    if (this.#givenUp.size > this.#limits.outboxMaxMessages) this.#givenUp.delete(oldest)
  }

  #remove (entry: Entry): void {
    const { msgId, size } = entry
    // Once: what was given up may still be encrypted, and its id may be in use again by then.
    if (this.#entries.get(msgId) !== entry) return
    this.#entries.delete(msgId)
    this.#bytes -= size
    this.#inFlight.delete(msgId)
    // Of the repeats none is on its way any more: the next of them, or what is new, may go.
    if (this.#inFlight.size === 0) this.#isRepeating = false
  }
}

/** Why a signal was aborted, also where its platform gives no reasons. */
export function abortReason ({ reason }: AbortSignalLike): unknown {
  return reason ?? new MicsError('MICS_CLIENT_CLOSED', 'the signal was aborted')
}

function timedOut ({ msgId, timeoutMs, wasSent }: Entry): MicsError {
  const advice = wasSent
    ? `It may have been sent: send it again with the same msgId, ${msgId}, to be sure`
    : 'It was not sent'
  return new MicsError('MICS_SEND_TIMEOUT', `no answer within ${timeoutMs} ms. ${advice}`, { isPassing: true })
}
