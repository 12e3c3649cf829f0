/**
 * The tenant's settings, given with each accepted token and in force for that connection. Give all of a tenant's
 * connections the same. What is missing or 0 is the gateway's default for the tenant.
 */
export interface TenantSettings {
  /** Base URL of the hooks other than `/auth`. Missing: the one that `/auth` has. */
  hookBaseUrl?: string
  /** Seconds without a frame from the client until it is disconnected. Default 30. */
  heartbeatTimeoutSeconds?: number
  /** Seconds a message waits for an offline recipient. Default 300. */
  offlineBufferTtlSeconds?: number
  /** Connections of the tenant at once. Default: no limit. */
  tenantMaxConnections?: number
  /** Connections of one user at once. Default: no limit. */
  userMaxConnections?: number
  /** Messages a second from all of the tenant's clients. Default: no limit. */
  tenantMaxMessageQps?: number
  /** Signs the hooks other than `/auth`. Missing: the secret that signs `/auth`. */
  tenantSecret?: string
  /** Calls at once of one hook. */
  hookMaxConcurrency?: number
  /** Milliseconds a call waits for one of these. 0: it does not wait. */
  hookQueueTimeoutMs?: number
  /** Failures in a row that open the breaker of one hook. */
  hookBreakerFailureThreshold?: number
  /** Milliseconds until the breaker lets one call through. */
  hookBreakerOpenMs?: number
  /** Make no hook call that cannot be signed. */
  hookSignRequired?: boolean
  /** The tenant keeps offline messages itself: `getOfflineMessages` returns them. */
  offlineUseHookPull?: boolean
  /** Refuse a message when `checkMessage` fails. Default: it is delivered. */
  checkMessageFailClosed?: boolean
  /** Do not ask `checkMessage` at all. */
  checkMessageDisabled?: boolean
  /** Deliver what a user sends to the user's own other devices too. Default true. */
  syncSenderDevices?: boolean
  /** Be asked about up to so many messages at once, 256 at most: `/check-messages`. Default 0: one by one. */
  checkBatchMaxMessages?: number
  /**
   * Milliseconds that a message may wait, 50 at most, to be asked about together with others, while a call about others
   * is under way. Default 0.
   */
  checkBatchMaxWaitMs?: number
}

export type SettingKind = 'url' | 'text' | 'count' | 'yes or no'

/** What each setting must be. */
export const settingKinds: Readonly<Record<keyof TenantSettings, SettingKind>> = {
  hookBaseUrl: 'url',
  heartbeatTimeoutSeconds: 'count',
  offlineBufferTtlSeconds: 'count',
  tenantMaxConnections: 'count',
  userMaxConnections: 'count',
  tenantMaxMessageQps: 'count',
  tenantSecret: 'text',
  hookMaxConcurrency: 'count',
  hookQueueTimeoutMs: 'count',
  hookBreakerFailureThreshold: 'count',
  hookBreakerOpenMs: 'count',
  hookSignRequired: 'yes or no',
  offlineUseHookPull: 'yes or no',
  checkMessageFailClosed: 'yes or no',
  checkMessageDisabled: 'yes or no',
  syncSenderDevices: 'yes or no',
  checkBatchMaxMessages: 'count',
  checkBatchMaxWaitMs: 'count',
}
