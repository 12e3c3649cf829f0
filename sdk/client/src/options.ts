import type { BodyEncryption } from './encryption-port.js'
import type { Transport } from './transport.js'

export interface MicsClientOptions {
  /**
   * The gateway, such as `wss://im.example.com`; with a path where it is not at the root (`/ws` is put behind it).
   * Several: one after another, each time the client connects. A function is asked each time.
   */
  url: string | readonly string[] | (() => string | Promise<string>)
  tenantId: string
  /** One for each app installation or browser tab: a newer connection of a device replaces the older one. */
  deviceId: string
  /** Who this is, for the tenant's `/auth` hook. A function is asked each time the client connects. */
  token: string | TokenProvider
  /** Unless given, that of the platform: the browser's WebSocket, or `ws` in Node.js. */
  transport?: Transport
  /** The tenant's `heartbeat_timeout_seconds`, in milliseconds: a heartbeat goes every third of it. Default 30,000. */
  heartbeatTimeoutMs?: number
  /** Milliseconds for the upgrade and the gateway's `connect_ack`, together. Default 10,000. */
  connectTimeoutMs?: number
  /** Milliseconds that `send` waits for the answer unless told; Infinity: for ever. Default 30,000. */
  sendTimeoutMs?: number
  /** Messages that may be on their way at once. 1 is the slowest. Default 16; the gateway takes 32 at once. */
  maxInFlight?: number
  /** Messages that may wait for their answer. Default 1,000. */
  outboxMaxMessages?: number
  /** Bytes of bodies that may wait for their answer. Default 8 MiB. */
  outboxMaxBytes?: number
  /** Largest body in bytes that is tried: the gateway's MAX_MESSAGE_BYTES. Default 1 MiB. */
  maxBodyBytes?: number
  /** Encrypts bodies before they are sent and decrypts them when they arrive: see `@mics/client/encryption`. */
  encryption?: BodyEncryption
  /** Ends the client, like `close()`. */
  signal?: AbortSignalLike
  /** From 0 to 1, for the delays between attempts. Default: Math.random. */
  random?: () => number
}

/**
 * Gets a token, a fresh one where the last may have run out. Where it fails the client waits and asks again. It may
 * take its time, for a login say: the client waits for it without a limit.
 */
export type TokenProvider = () => string | Promise<string>

/** As much of an AbortSignal as the client uses, which every AbortSignal has. */
export interface AbortSignalLike {
  readonly aborted: boolean
  readonly reason?: unknown
  addEventListener (type: 'abort', listener: () => void): void
  removeEventListener (type: 'abort', listener: () => void): void
}
