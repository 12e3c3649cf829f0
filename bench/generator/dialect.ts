import type { MessageTemplate } from './message-template.js'

/** What a frame from a server is to the generator. */
export const Kind = { OTHER: 0, HELLO: 1, READY: 2, DELIVERY: 3, ACK: 4, FAILED: 5, PING: 6, REFUSED: 7 } as const
export type Kind = typeof Kind[keyof typeof Kind]

export interface MessageTo {
  /** A user, or a group. */
  to: string
  isGroup: boolean
  bodyBytes: number
}

/** How to talk to one kind of server, with frames that are ready to be sent. */
export interface Dialect {
  /** The path of the upgrade request. */
  path: (user: string) => string
  /** Looks at the first bytes only. */
  kindOf: (bytes: Buffer, start: number, end: number) => Kind
  /** The answer to a HELLO, where the server begins with one. */
  greeting: (user: string) => Buffer
  /** The answer to a PING of the server. */
  pong: Buffer
  /** What a client without anything to say sends, and how often. None where only the server asks. */
  heartbeat?: { frame: Buffer, everyMs: number }
  message: (message: MessageTo) => MessageTemplate
}
