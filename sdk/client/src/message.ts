/** A message to send: to one user, or to one group. */
export type OutgoingMessage = MessageContent & (
  | { toUserId: string, groupId?: undefined }
  | { groupId: string, toUserId?: undefined }
)

interface MessageContent {
  /** Text goes as UTF-8. The gateway does not look into it; 1 MiB at most unless its operator changed that. */
  body: string | Uint8Array
  /**
   * What repeats are recognized by, together with sender and device. A new ULID unless given. Give the same one to send
   * again what may have been sent before, as after a timeout or a restart of the app: within 10 minutes the gateway
   * delivers it once.
   */
  msgId?: string
  /** Unix milliseconds; now unless given. */
  timestampMs?: number
}

/** A message that somebody sent to this user, to one of their groups, or from another device of theirs. */
export interface IncomingMessage {
  readonly msgId: string
  /** The sender. The gateway vouches for it. */
  readonly userId: string
  /** The sender's device. */
  readonly deviceId: string
  /** Empty for a group message. */
  readonly toUserId: string
  /** Empty for a message to one user. */
  readonly groupId: string
  readonly body: Uint8Array
  /** The body as UTF-8 text, with U+FFFD for what is none. */
  readonly text: string
  /** Unix milliseconds: the sender's clock, or the gateway's where the sender gave no time. */
  readonly timestampMs: number
  /** Was it sent by this user, from another device? */
  readonly isOwn: boolean
}

/** The gateway's answer to a message. */
export interface MessageAck {
  readonly msgId: string
  /**
   * SENT: at least one device was handed it, or the gateway holds it for one that is offline, or the tenant was told of
   * it and keeps it. FAILED: nobody was handed it.
   */
  readonly status: 'SENT' | 'FAILED'
  /** Unix milliseconds, by the gateway's clock. */
  readonly timestampMs: number
  /** Why it failed; for SENT empty, or `duplicate` where the gateway had it already. */
  readonly reason: string
  /** Some members of the group got it, and some who are offline will not. */
  readonly partialDelivery: boolean
  /** Recipients who are offline and of whom the tenant was told, because it keeps such messages itself. */
  readonly offlineNotifiedUsers: number
  /** Recipients who are offline and for whom the gateway holds it. */
  readonly offlineBufferedUsers: number
  /** Recipients who are offline and for whom it could not be held. */
  readonly offlineSkippedUsers: number
}
