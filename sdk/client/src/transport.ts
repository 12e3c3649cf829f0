/** What a platform gives the client: sockets, and the moments at which to look after the connection. */
export interface Transport {
  /**
   * Opens a WebSocket for binary frames. Calls back in order and never before it has returned: `onOpen` at most once,
   * `onClose` exactly once, also where it could not be opened (1006), and nothing after that.
   */
  open (url: string, protocols: string[], events: SocketEvents): Socket
  /**
   * Calls back when the network is back, or the app is looked at again: a good moment to connect, or to see whether the
   * connection still lives. Returns what ends it. Undefined where a platform has no such moments.
   */
  onWake?: (listener: () => void) => () => void
  /** Like setInterval, for heartbeats: browsers hold up the usual timers of hidden tabs. Returns what ends it. */
  every?: (ms: number, listener: () => void) => () => void
}

export interface SocketEvents {
  onOpen (): void
  /** A text frame arrives as a string. */
  onMessage (data: Uint8Array | string): void
  /** @param code 1006 where there was no close frame */
  onClose (code: number, reason: string): void
}

export interface Socket {
  send (data: Uint8Array): void
  /**
   * Bytes that were given to `send` and have not left yet: while they go on leaving, a slow network is not taken for a
   * dead one. Undefined where a platform does not tell.
   */
  bufferedBytes?: () => number
  /** Starts the closing handshake. `onClose` comes when it is through. */
  close (code: number, reason: string): void
  /** Lets go of it at once, for a connection that is dead. `onClose` comes with 1006. */
  terminate (): void
}
