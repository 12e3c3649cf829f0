import type { ChatMessage, KeptMessage } from './chat-message.js'
import type { TenantSettings } from './tenant-settings.js'

/** What every call says of itself. */
export interface HookCall {
  /** The tenant, as the gateway's operator named it. */
  readonly tenantId: string
  /** Differs from call to call. */
  readonly requestId: string
  /**
   * The same for all calls of one connection, and for its events: put it into your log. A call about messages of
   * several connections has that of one of them.
   */
  readonly traceId: string
  /** Unix milliseconds, the gateway's clock. */
  readonly timestampMs: number
  /** Aborts when the gateway has given the call up, after 150 ms: what goes on then is for nobody. */
  readonly signal: AbortSignal
}

export interface AuthenticateCall extends HookCall {
  /** What the client gave; it may be anything. */
  readonly token: string
  /** What the client calls its device. */
  readonly deviceId: string
}

export type AuthenticateAnswer =
  | {
    readonly ok: true
    /** Who the token belongs to. */
    readonly userId: string
    /** Replaces the client's. Empty or missing: it stays. */
    readonly deviceId?: string
    readonly config?: TenantSettings
  }
  | {
    readonly ok: false
    /** The client reads it as close reason, and the gateway logs it: keep the token out of it. */
    readonly reason?: string
  }

export interface CheckMessageCall extends HookCall {
  /** What recipients would get. It cannot be changed. */
  readonly message: ChatMessage
}

export type CheckMessageAnswer =
  | { readonly allow: true }
  | {
    readonly allow: false
    /** The sender's client reads it in its ack, cut to 512 characters. */
    readonly reason?: string
  }

export interface CheckMessagesCall extends HookCall {
  /** What recipients would get, in the order in which verdicts are returned; of any senders. They cannot be changed. */
  readonly messages: readonly ChatMessage[]
}

export interface GetGroupMembersCall extends HookCall {
  readonly groupId: string
}

export interface GetOfflineMessagesCall extends HookCall {
  /** Whose messages are asked for. */
  readonly userId: string
  /** The device that has connected. */
  readonly deviceId: string
  /** The gateway takes no more of a page. */
  readonly maxMessages: number
  /** Empty for the first page, then your last `nextCursor`. */
  readonly cursor: string
}

export type GetOfflineMessagesAnswer =
  | {
    readonly ok?: true
    /** Oldest first: messages, or their bytes as they came in `event_data` (`event.messageBytes`). */
    readonly messages: ReadonlyArray<KeptMessage | Uint8Array>
    /** Where the next page begins; at most 8,192 characters. */
    readonly nextCursor?: string
    /** Unless given: whether there is a `nextCursor`. */
    readonly hasMore?: boolean
  }
  | {
    readonly ok: false
    /** For the gateway's log. */
    readonly reason?: string
  }

type Awaitable<T> = T | Promise<T>

/** The tenant's answers. Each has 150 ms, the way there and back included. */
export interface Hooks {
  /** Who a token belongs to. Asked once a connection. */
  authenticate: (call: AuthenticateCall) => Awaitable<AuthenticateAnswer>
  /**
   * Whether a message may go out. Asked once a message; of a call of `/check-messages` about up to 32 of its messages
   * at once, and one that throws fails the call. Missing: `checkMessages` says it, and without that every message may.
   */
  checkMessage?: (call: CheckMessageCall) => Awaitable<CheckMessageAnswer>
  /**
   * Whether several messages may go out, 256 at most: one verdict for each, in their order. Asked where the tenant has
   * `checkBatchMaxMessages`, and where there is no `checkMessage`. Missing: `checkMessage` is asked about each.
   */
  checkMessages?: (call: CheckMessagesCall) => Awaitable<readonly CheckMessageAnswer[]>
  /**
   * The ids of a group's users, the sender's may be among them. Asked for every group message. An empty list, as for
   * a group that is not there, fails the message. Missing: every group is empty.
   */
  getGroupMembers?: (call: GetGroupMembersCall) => Awaitable<readonly string[]>
  /**
   * A page of what was kept for a user. Asked where the tenant has `offlineUseHookPull`. The pull is no receipt: delete
   * what you returned when the user's app confirms it.
   */
  getOfflineMessages?: (call: GetOfflineMessagesCall) => Awaitable<GetOfflineMessagesAnswer>
}
