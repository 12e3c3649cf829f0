import type { Hooks } from './hooks.js'
import { consoleLogger, type Logger } from './logger.js'
import type { Operation } from './operations.js'
import type { RefusalReason } from './refusal.js'
import type { RequestIds } from './request-ids.js'
import { checkSecrets, type Secrets } from './secrets.js'

/** Which call went wrong. */
export interface FailedCall {
  operation: Operation
  tenantId: string
  requestId: string
  traceId: string
}

/** A call that no function heard of. Whoever sends it chooses its path and its ids. */
export interface RefusedCall extends Partial<FailedCall> {
  reason: RefusalReason
  /** The HTTP status that it was answered with. */
  status: number
  /** What the caller was told. */
  message: string
}

export type HookHandlerOptions = Hooks & Signing & {
  /** Only calls of these tenants are answered. Default: of every tenant whose calls are signed with the secret. */
  tenantIds?: readonly string[]
  /** What stands before `/auth` and the others in the path. Default `/`. */
  basePath?: string
  /**
   * Bytes of a request. Default 4 MiB: several messages at once, of about 1 MiB together, with the largest one of a
   * gateway, 1 MiB, and what is around them.
   */
  maxBodyBytes?: number
  /**
   * Bytes of the bodies of all calls that are read or answered at once; beyond it calls are refused with 503, so that
   * strangers who begin bodies and never end them fill no memory. Default 256 MiB.
   */
  maxBytesInProgress?: number
  /** Milliseconds in which the whole body must be here. Default 10,000. */
  bodyTimeoutMs?: number
  /** Milliseconds that a call's time may be off this machine's, either way. Default 300,000. */
  timestampToleranceMs?: number
  /**
   * Calls remembered so that none is answered twice, about 110 bytes each. Default 200,000. Where more come within the
   * tolerance, the oldest of the tenant with the most are forgotten, and calls of that tenant as old as those are
   * refused from then on.
   */
  maxRequestIds?: number
  /** Remembers them elsewhere, for several processes that answer the same calls. */
  requestIds?: RequestIds
  /** Refuse calls without `x-mics-signature`, though `meta.sign` is right. Default false: other gateways send none. */
  requireHeaderSignature?: boolean
  /** Calls whose handler is at work at once; more are refused with 503. Default 2,000. */
  maxCallsInProgress?: number
  /** Milliseconds that the gateway waits; a call that takes longer is counted and warned of. Default 150. */
  gatewayTimeoutMs?: number
  /** Hears of each error of a handler, and each answer that the gateway could not use. Default: the log, throttled. */
  onError?: (error: unknown, call: FailedCall) => void
  /** Hears of each call that was refused, beside the log. */
  onRefused?: (refused: RefusedCall) => void
  /** Where warnings and errors go, such as a pino logger. Default: the console. */
  logger?: Logger
}

/** The secrets, or the word that there are none. */
export type Signing =
  | {
    /** Calls must be signed with one of the tenant's secrets. */
    secrets: Secrets
    allowUnsigned?: false
  }
  | {
    secrets?: undefined
    /** Answers whoever calls, without a look at signatures: for a first try on one's own machine. */
    allowUnsigned: true
  }

/** The options with their defaults. */
export type CheckedOptions = ReturnType<typeof checkOptions>

const MiB = 1024 * 1024

/** Throws a TypeError that names what is wrong. */
export function checkOptions (options: HookHandlerOptions) {
  const { secrets, allowUnsigned = false, tenantIds, basePath = '/' } = options
  if (typeof options.authenticate !== 'function') {
    throw new TypeError('authenticate must be a function: it says who a token belongs to')
  }
  for (const name of ['checkMessage', 'checkMessages', 'getGroupMembers', 'getOfflineMessages', 'onError', 'onRefused'] as const) {
    if (options[name] !== undefined && typeof options[name] !== 'function') throw new TypeError(`${name} must be a function`)
  }
  if (secrets === undefined && !allowUnsigned) {
    throw new TypeError('secrets are missing: give the tenant\'s secret, or allowUnsigned: true to answer whoever calls')
  }
  if (secrets !== undefined && allowUnsigned) {
    throw new TypeError('secrets and allowUnsigned exclude each other: leave allowUnsigned out')
  }
  if (secrets !== undefined) checkSecrets(secrets)
  if (tenantIds !== undefined && !(Array.isArray(tenantIds) && tenantIds.every(id => typeof id === 'string'))) {
    throw new TypeError('tenantIds must be a list of strings')
  }
  if (typeof basePath !== 'string' || !basePath.startsWith('/')) throw new TypeError('basePath must begin with /')
  return {
    hooks: options as Hooks,
    secrets: secrets as Secrets | undefined,
    tenantIds: tenantIds === undefined ? undefined : new Set(tenantIds),
    basePath: basePath.replace(/\/*$/, '/'),
    maxBodyBytes: count(options, 'maxBodyBytes', 4 * MiB),
    maxBytesInProgress: count(options, 'maxBytesInProgress', 256 * MiB),
    bodyTimeoutMs: count(options, 'bodyTimeoutMs', 10_000),
    timestampToleranceMs: count(options, 'timestampToleranceMs', 300_000),
    maxRequestIds: count(options, 'maxRequestIds', 200_000),
    requestIds: options.requestIds,
    requireHeaderSignature: options.requireHeaderSignature ?? false,
    maxCallsInProgress: count(options, 'maxCallsInProgress', 2000),
    gatewayTimeoutMs: count(options, 'gatewayTimeoutMs', 150),
    onError: options.onError,
    onRefused: options.onRefused,
    logger: options.logger ?? consoleLogger,
  }
}

type CountName = 'maxBodyBytes' | 'maxBytesInProgress' | 'bodyTimeoutMs' | 'timestampToleranceMs' | 'maxRequestIds' | 'maxCallsInProgress' | 'gatewayTimeoutMs'

function count (options: HookHandlerOptions, name: CountName, fallback: number): number {
  const value = options[name] ?? fallback
  // A timer takes no more.
  if (Number.isInteger(value) && value > 0 && value < 2 ** 31) return value
  throw new TypeError(`${name} must be a whole number above 0 and below 2147483648`)
}
