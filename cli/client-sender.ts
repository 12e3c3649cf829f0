import { setTimeout as delay } from 'node:timers/promises'
import type { MicsClient } from '../sdk/client/src/client.js'
import { MicsError } from '../sdk/client/src/errors.js'
import type { OutgoingMessage } from '../sdk/client/src/message.js'
import { FrameError } from '../lib/protocol/server-errors.js'
import type { ClientEvent } from './client-line.js'

/** Milliseconds until a message that failed for now is sent again. */
const RETRY_PAUSE_MS = 500

export interface ClientSenderOptions {
  /** Milliseconds in which a message that failed for now is sent again. */
  retryMs: number
  /** What happens to a message beyond the client's own events. */
  onEvent: (event: ClientEvent) => void
}

/**
 * Sends messages one after another. So it is clear which one the gateway means when it says that it cannot use a frame,
 * of which it names none: such a message has FAILED.
 */
export class ClientSender {
  readonly #client: MicsClient
  readonly #options: ClientSenderOptions
  #onWay?: AbortController

  constructor (client: MicsClient, options: ClientSenderOptions) {
    this.#client = client
    this.#options = options
    client.on('error', error => {
      if (error.serverError?.code === FrameError.NOT_A_CLIENT_FRAME) this.#onWay?.abort(error)
    })
  }

  /**
   * Resolves with whether it is SENT, which may take for ever.
   * @throws {MicsError} where the client ended
   */
  async send (message: OutgoingMessage & { msgId: string }): Promise<boolean> {
    const deadline = Date.now() + this.#options.retryMs
    for (;;) {
      const error = await this.#try(message)
      if (error === undefined) return true
      if (error.code !== 'MICS_MESSAGE_FAILED') {
        if (error.serverError === undefined) throw error
        this.#failed(message.msgId, error)
        return false
      }
      if (!error.isPassing || Date.now() + RETRY_PAUSE_MS > deadline) return false
      await delay(RETRY_PAUSE_MS)
    }
  }

  /** Why it is not SENT. */
  async #try (message: OutgoingMessage): Promise<MicsError | undefined> {
    this.#onWay = new AbortController()
    try {
      await this.#client.send(message, { timeoutMs: Infinity, signal: this.#onWay.signal })
    } catch (error) {
      if (error instanceof MicsError) return error
      throw error
    } finally {
      this.#onWay = undefined
    }
  }

  /** Its frame is what the gateway cannot use: sent again it would meet the same. */
  #failed (msgId: string, error: MicsError): void {
    const { onEvent } = this.#options
    // The other code is one of the client's events.
    if (error.serverError?.code === FrameError.FRAME_TOO_LARGE) onEvent({ type: 'error', error })
    onEvent({ type: 'ack', ack: { msgId, status: 'FAILED', reason: error.serverError?.message ?? error.message } })
  }
}
