import type { IncomingMessage, MessageAck } from './message.js'

export type MicsErrorCode =
  /** The connection ended for good: `closeCode` says why. */
  | 'MICS_CONNECTION_ENDED'
  /** `close()` was called, or the client's signal aborted. */
  | 'MICS_CLIENT_CLOSED'
  /** The gateway answered FAILED: `ack` has the reason, `isPassing` says whether sending it again later may help. */
  | 'MICS_MESSAGE_FAILED'
  /** No answer in time. The message may have been sent: send it again with the same `msgId` to be sure. */
  | 'MICS_SEND_TIMEOUT'
  /** Too much waits for its answer already. */
  | 'MICS_OUTBOX_FULL'
  /** A message of that size cannot be sent. */
  | 'MICS_BODY_TOO_LARGE'
  /** A message without a recipient, or with two; an option that is missing or out of range. */
  | 'MICS_INVALID_ARGUMENT'
  /** The token provider failed: `cause` is its error. The client tries again. */
  | 'MICS_TOKEN_UNAVAILABLE'
  /** The function that gives the url failed, or gave none: `cause` says why. The client tries again. */
  | 'MICS_URL_UNAVAILABLE'
  /** The gateway answered a frame with an error, or sent what is no frame. */
  | 'MICS_PROTOCOL_ERROR'
  /** A body could not be encrypted or decrypted: `cause` says why. */
  | 'MICS_ENCRYPTION_FAILED'
  /** A listener of the app threw: `cause` is its error. */
  | 'MICS_LISTENER_FAILED'

/** Whatever goes wrong in the client. Decide by `code`; the message is for people. */
export class MicsError extends Error {
  override readonly name = 'MicsError'
  /** For MICS_CONNECTION_ENDED. */
  readonly closeCode?: number
  /** For MICS_CONNECTION_ENDED: the gateway's words, which may be empty. */
  readonly closeReason?: string
  /** For MICS_MESSAGE_FAILED. */
  readonly ack?: MessageAck
  /** For MICS_ENCRYPTION_FAILED of a message that came: that message, its body as it came. */
  readonly received?: IncomingMessage
  /** What the gateway said of a frame, where that is the error; its codes are in `@mics/client/protocol`. */
  readonly serverError?: ServerError
  /** May the same succeed later? */
  readonly isPassing: boolean

  constructor (readonly code: MicsErrorCode, message: string, details: MicsErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause })
    this.closeCode = details.closeCode
    this.closeReason = details.closeReason
    this.ack = details.ack
    this.received = details.received
    this.serverError = details.serverError
    this.isPassing = details.isPassing ?? false
  }
}

export interface MicsErrorDetails {
  cause?: unknown
  closeCode?: number
  closeReason?: string
  ack?: MessageAck
  received?: IncomingMessage
  serverError?: ServerError
  isPassing?: boolean
}

/** The gateway's `error` frame. */
export interface ServerError {
  readonly code: number
  readonly message: string
}

/** What an app's own function threw, in words. */
export function textOf (thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown)
}
