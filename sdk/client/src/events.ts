import type { MicsError } from './errors.js'
import type { IncomingMessage, MessageAck } from './message.js'

/** Where the connection is. The client leaves `closed` and `offline` only by `connect()`. */
export type ConnectionState =
  /** Not connected because the app wants it so: before `connect()` and after `close()`. */
  | { readonly name: 'offline' }
  /** `url` is empty while a function is asked for it. */
  | { readonly name: 'connecting', readonly url: string }
  | ({ readonly name: 'connected', readonly url: string } & ConnectAck)
  /** The connection ended, or could not be made; the next attempt is at `retryAt`, Unix milliseconds. */
  | { readonly name: 'waiting', readonly retryAt: number, readonly code: number, readonly reason: string }
  /** The gateway said not to come back: a new token, or another device id, or nothing helps. */
  | { readonly name: 'closed', readonly code: number, readonly reason: string }

/** What the gateway said when it let the client in. */
export interface ConnectAck {
  /** Who the tenant says this is. */
  readonly userId: string
  /** What this device is known by: the tenant may have replaced it. */
  readonly deviceId: string
  readonly nodeId: string
  /** Names this connection in the gateway's log and in its calls to the tenant: for your own log. */
  readonly traceId: string
}

export interface ClientEvents {
  state: (state: ConnectionState) => void
  /** Each message once. */
  message: (message: IncomingMessage) => void
  /** A message that was here before, as happens when a connection or a node ends: only for who counts them. */
  repeat: (message: IncomingMessage) => void
  /** The gateway's answer to each message, SENT or FAILED. */
  ack: (ack: MessageAck) => void
  /** What went wrong while the client goes on. */
  error: (error: MicsError) => void
  /** Every frame, for a log: its bytes are what `@mics/client/protocol` decodes. The token is in none. */
  frame: (direction: 'in' | 'out', bytes: Uint8Array) => void
}
