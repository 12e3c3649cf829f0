import { randomBytes } from 'node:crypto'
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { Breaker } from '../breaker/breaker.js'
import type { TenantSettings } from '../config/gateway-config.js'
import {
  AuthRequestSchema, AuthResponseSchema, GetGroupMembersRequestSchema, GetOfflineMessagesRequestSchema,
  type AuthResponse,
} from '../gen/mics/hook/v1/hook_pb.js'
import type { LogLine, ThrottledLog } from '../log/throttled-log.js'
import type { GatewayMetrics } from '../metrics/gateway-metrics.js'
import type { Message } from '../protocol/message.js'
import { encodeMessageField } from '../protocol/server-frame.js'
import type { Tenants } from '../tenants/tenants.js'
import type { Span, SpanParent } from '../tracing/span.js'
import { TRACEPARENT, unsampledTraceparent } from '../tracing/traceparent.js'
import { decodeCheckAnswer, type CheckAnswer } from './check-answer.js'
import { ConcurrencyLimiter } from './concurrency-limiter.js'
import { GroupMembers } from './group-members.js'
import { HookFailure, type HookResult } from './hook-failure.js'
import { encodeHookRequest } from './hook-request.js'
import { HookTransport } from './hook-transport.js'
import { decodeOfflinePage, type OfflinePage } from './offline-page.js'

export type HookOperation = 'auth' | 'check-message' | 'get-group-members' | 'get-offline-messages'

/** Milliseconds for a whole call: waiting for a slot, connecting, the request and the response. */
export const HOOK_TIMEOUT_MS = 150

/** Calls of one hook at once, whatever the tenant asks for: each may hold a whole response. */
export const MAX_CALLS_AT_ONCE = 1024

/** Bytes of a response. Members: 200,000 ids; offline messages: a page of bodies. */
export const MAX_RESPONSE_BYTES: Record<HookOperation, number> = {
  auth: 64 * 1024,
  'check-message': 64 * 1024,
  'get-group-members': 16 * 1024 * 1024,
  'get-offline-messages': 16 * 1024 * 1024,
}

/** `message` in CheckMessageRequest: (field number << 3) | wire type. */
const CHECKED_MESSAGE = 2 << 3 | 2

/** Fields of a later version would be kept as objects, at the mercy of whoever sent them. */
const FORGET_UNKNOWN = { readUnknownFields: false }

/** One question to one hook. */
interface HookCall {
  operation: HookOperation
  tenantId: string
  settings: TenantSettings
  traceId: string
  /** What the call is part of, where that is traced. */
  parent?: SpanParent
  /** The message that the question is about. */
  msgId?: string
  /** The request serialized without `meta`. */
  fields: Uint8Array
}

/** What stands between one hook of one tenant and everybody else. */
interface Lane {
  limiter: ConcurrencyLimiter
  breaker: Breaker
  transport: HookTransport
}

/**
 * Asks the tenants' servers. Each (tenant, operation) has its own connections, concurrency limit and breaker, so that
 * a bad hook is felt by nobody else. Every call resolves: with the answer, or with why there is none.
 */
export class HooksClient {
  /** Milliseconds for a whole call. Tests that are not about time give hooks more of it. */
  timeoutMs = HOOK_TIMEOUT_MS
  private readonly lanes = new Map<string, Map<HookOperation, Lane>>()
  private readonly requestPrefix = randomBytes(6).toString('hex')
  private requests = 0

  constructor (private readonly deps: {
    tenants: Tenants
    metrics: GatewayMetrics
    throttledLog: ThrottledLog
    warn: LogLine
    now?: () => number
  }) {
    deps.tenants.on('removed', tenantId => this.forget(tenantId))
  }

  /** Whether `token` may connect as whom. Uses the tenant's configured URL and secret, whatever `settings` say. */
  auth (
    tenantId: string, settings: TenantSettings, token: string, deviceId: string, traceId: string,
    parent?: SpanParent
  ): Promise<HookResult<AuthResponse>> {
    const tenant = this.deps.tenants.get(tenantId)
    const configured = { ...settings, hookBaseUrl: tenant?.authUrl ?? '', tenantSecret: tenant?.secret ?? '' }
    const fields = toBinary(AuthRequestSchema, create(AuthRequestSchema, { token, deviceId }))
    return this.call({ operation: 'auth', tenantId, settings: configured, traceId, parent, fields },
      body => fromBinary(AuthResponseSchema, body, FORGET_UNKNOWN), response => response.ok)
  }

  /** Whether the message may be sent. */
  checkMessage (
    settings: TenantSettings, message: Message, traceId: string
  ): Promise<HookResult<CheckAnswer>> {
    const { tenantId, msgId, span: parent } = message
    const fields = encodeMessageField(CHECKED_MESSAGE, message)
    return this.call({ operation: 'check-message', tenantId, settings, traceId, parent, msgId, fields },
      body => decoded(decodeCheckAnswer(body)), answer => answer.allow)
  }

  /** Who is in the message's group. */
  getGroupMembers (settings: TenantSettings, message: Message, traceId: string): Promise<HookResult<GroupMembers>> {
    const { tenantId, groupId, msgId, span: parent } = message
    const fields = toBinary(GetGroupMembersRequestSchema, create(GetGroupMembersRequestSchema, { groupId }))
    return this.call({ operation: 'get-group-members', tenantId, settings, traceId, parent, msgId, fields },
      body => decoded(GroupMembers.parse(body)))
  }

  /** One page of what the tenant kept for the user; the first has an empty cursor. */
  getOfflineMessages (
    settings: TenantSettings, tenantId: string,
    page: { userId: string, deviceId: string, maxMessages: number, cursor: string }, traceId: string,
    parent?: SpanParent
  ): Promise<HookResult<OfflinePage>> {
    const fields = toBinary(GetOfflineMessagesRequestSchema, create(GetOfflineMessagesRequestSchema, page))
    return this.call({ operation: 'get-offline-messages', tenantId, settings, traceId, parent, fields },
      body => decoded(decodeOfflinePage(body, page.maxMessages)), response => response.ok)
  }

  async close (): Promise<void> {
    await Promise.all([...this.lanes.keys()].map(tenantId => this.forget(tenantId)))
  }

  private async call<T> (
    call: HookCall, decode: (body: Buffer) => T, isYes: (answer: T) => boolean = () => true
  ): Promise<HookResult<T>> {
    const { metrics, throttledLog, warn } = this.deps
    const { operation, tenantId, traceId, msgId } = call
    const startedAt = performance.now()
    const span = call.parent === undefined ? undefined : spanOf(call, call.parent)
    try {
      const value = await this.attempt(call, decode, startedAt, span)
      metrics.hookCall(tenantId, operation, isYes(value) ? 'ok' : 'denied', secondsSince(startedAt))
      return { ok: true, value }
    } catch (error) {
      const failure = error instanceof HookFailure ? error : new HookFailure('network', String(error), { cause: error })
      metrics.hookCall(tenantId, operation, failure.kind, secondsSince(startedAt))
      span?.fail(failure.kind)
      throttledLog.log(`hook ${tenantId} ${operation} ${failure.kind}`, warn,
        { tenantId, operation, traceId, msgId, failure: failure.kind, reason: failure.message }, 'hook call failed')
      return { ok: false, failure }
    } finally {
      span?.end()
    }
  }

  private async attempt<T> (
    call: HookCall, decode: (body: Buffer) => T, startedAt: number, span: Span | undefined
  ): Promise<T> {
    const { operation, tenantId, settings, traceId, fields } = call
    if (settings.hookSignRequired && settings.tenantSecret === '') {
      throw new HookFailure('unsigned', 'signing is required and no secret is known: set the tenant\'s secret')
    }
    const { limiter, breaker, transport } = this.lane(tenantId, operation)
    if (breaker.refuses) throw new HookFailure('breaker_open', 'breaker is open')
    const maxConcurrency = Math.min(settings.hookMaxConcurrency, MAX_CALLS_AT_ONCE)
    const granted = limiter.acquire(maxConcurrency, settings.hookQueueTimeoutMs)
    if (!(granted === true || await granted)) throw queueFull()
    try {
      const timeoutMs = Math.ceil(this.timeoutMs - (performance.now() - startedAt))
      // The hook was not asked: that is no failure of its own, and must not open its breaker.
      if (timeoutMs <= 0) throw queueFull()
      return await breaker.run(async () => {
        const { body, headers } = encodeHookRequest({
          tenantId,
          requestId: `${this.requestPrefix}-${(++this.requests).toString(36)}`,
          traceId,
          timestampMs: BigInt((this.deps.now ?? Date.now)()),
        }, fields, settings.tenantSecret)
        const traceparent = span?.traceparent ?? unsampledTraceparent(traceId)
        if (traceparent !== undefined) headers[TRACEPARENT] = traceparent
        const answer = await transport.post({
          baseUrl: settings.hookBaseUrl,
          operation,
          headers,
          body,
          timeoutMs,
          maxResponseBytes: MAX_RESPONSE_BYTES[operation],
          onStatus: span && (code => span.set({ 'http.response.status_code': code })),
        })
        try {
          return decode(answer)
        } catch (error) {
          throw new HookFailure('undecodable', 'the response is not the expected protobuf message', { cause: error })
        }
      }, settings.hookBreakerFailureThreshold, settings.hookBreakerOpenMs)
    } catch (error) {
      if ((error as { code?: string }).code === 'EOPENBREAKER') throw new HookFailure('breaker_open', 'breaker is open')
      throw error
    } finally {
      limiter.release()
    }
  }

  private lane (tenantId: string, operation: HookOperation): Lane {
    if (this.deps.tenants.get(tenantId) === undefined) throw new HookFailure('tenant_gone', 'the tenant was removed')
    let ofTenant = this.lanes.get(tenantId)
    if (ofTenant === undefined) this.lanes.set(tenantId, ofTenant = new Map())
    let lane = ofTenant.get(operation)
    if (lane === undefined) {
      const { metrics, warn } = this.deps
      lane = {
        limiter: new ConcurrencyLimiter(),
        breaker: new Breaker(state => {
          metrics.breaker(tenantId, operation, state)
          warn({ tenantId, operation, breaker: ['closed', 'open', 'half-open'][state] }, 'hook breaker changed')
        }),
        transport: new HookTransport(),
      }
      ofTenant.set(operation, lane)
    }
    return lane
  }

  private async forget (tenantId: string): Promise<void> {
    const ofTenant = this.lanes.get(tenantId)
    this.lanes.delete(tenantId)
    for (const [operation, lane] of ofTenant ?? []) {
      this.deps.metrics.forgetBreaker(tenantId, operation)
      lane.breaker.close()
      await lane.transport.close()
    }
  }
}

/** A client's span by OpenTelemetry's conventions for HTTP, but for the URL: a tenant may keep a secret in its path. */
function spanOf (
  { operation, tenantId, msgId, settings: { hookBaseUrl } }: HookCall, parent: SpanParent
): Span | undefined {
  const span = parent.child(`mics.hook ${operation}`, 'client', {
    'http.request.method': 'POST',
    'mics.tenant_id': tenantId,
    'mics.hook': operation,
  })
  if (msgId !== undefined) span?.set({ 'mics.msg_id': msgId })
  if (URL.canParse(hookBaseUrl)) {
    const { protocol, hostname, port } = new URL(hookBaseUrl)
    span?.set({
      'server.address': hostname,
      'server.port': Number(port) || (protocol === 'https:' ? 443 : 80),
    })
  }
  return span
}

function secondsSince (startedAt: number): number {
  return (performance.now() - startedAt) / 1000
}

function decoded<T> (answer: T | undefined): T {
  if (answer === undefined) throw new Error('not the expected message')
  return answer
}

function queueFull (): HookFailure {
  return new HookFailure('queue_full', 'too many calls at once: raise hook_max_concurrency or answer faster')
}
