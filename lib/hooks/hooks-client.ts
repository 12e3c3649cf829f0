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
import { encodeMessageField, messageSize } from '../protocol/server-frame.js'
import type { Tenants } from '../tenants/tenants.js'
import type { Span, SpanParent } from '../tracing/span.js'
import { TRACEPARENT, unsampledTraceparent } from '../tracing/traceparent.js'
import { CheckBatch, type OnVerdict } from './check-batch.js'
import { CheckBatches, maxCalls } from './check-batches.js'
import { decodeVerdict, decodeVerdicts, type CheckVerdict } from './check-verdicts.js'
import { ConcurrencyLimiter } from './concurrency-limiter.js'
import { GroupMembers } from './group-members.js'
import { HookFailure, queueFull, type HookResult } from './hook-failure.js'
import { encodeHookRequest } from './hook-request.js'
import { HookTransport } from './hook-transport.js'
import { decodeOfflinePage, type OfflinePage } from './offline-page.js'

export { MAX_CALLS_AT_ONCE } from './concurrency-limiter.js'

export type HookOperation = 'auth' | 'check-message' | 'check-messages' | 'get-group-members' | 'get-offline-messages'

/** Milliseconds for a whole call: waiting for a slot, connecting, the request and the response. */
export const HOOK_TIMEOUT_MS = 150

/** Bytes of a response. Members: 200,000 ids; offline messages: a page of bodies. */
export const MAX_RESPONSE_BYTES: Record<HookOperation, number> = {
  auth: 64 * 1024,
  'check-message': 64 * 1024,
  'check-messages': 64 * 1024,
  'get-group-members': 16 * 1024 * 1024,
  'get-offline-messages': 16 * 1024 * 1024,
}

/** Bytes more of a response of check-messages for each message: the longest reason that is passed on takes 1.5 KiB. */
export const MAX_VERDICT_BYTES = 2048

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

/** How a call is made, besides its question. */
interface Attempt<T> {
  timeoutMs: number
  maxResponseBytes: number
  traceparent: string | undefined
  onStatus: ((statusCode: number) => void) | undefined
  decode: (body: Buffer) => T
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
  /** Of the tenants that have messages checked in batches. */
  private readonly batches = new Map<string, CheckBatches>()
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
  ): Promise<HookResult<CheckVerdict>> {
    if (settings.checkBatchMaxMessages > 1) {
      return new Promise(resolve => this.checkInBatch(settings, message, traceId, resolve))
    }
    const { tenantId, msgId, span: parent } = message
    const fields = encodeMessageField(CHECKED_MESSAGE, message)
    return this.call({ operation: 'check-message', tenantId, settings, traceId, parent, msgId, fields },
      body => decoded(decodeVerdict(body)), answer => answer.allow)
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
    const { operation, tenantId } = call
    const startedAt = performance.now()
    const span = call.parent === undefined ? undefined : spanOf(call, call.parent)
    try {
      const value = await this.attempt(call, decode, startedAt, span)
      this.deps.metrics.hookCall(tenantId, operation, isYes(value) ? 'ok' : 'denied', secondsSince(startedAt))
      return { ok: true, value }
    } catch (error) {
      const failure = this.failed(call, startedAt, error)
      span?.fail(failure.kind)
      return { ok: false, failure }
    } finally {
      span?.end()
    }
  }

  private async attempt<T> (
    call: HookCall, decode: (body: Buffer) => T, startedAt: number, span: Span | undefined
  ): Promise<T> {
    const { operation, tenantId, settings, traceId } = call
    const unsigned = unsignedCall(settings)
    if (unsigned !== undefined) throw unsigned
    const lane = this.lane(tenantId, operation)
    if (lane.breaker.refuses) throw breakerOpen()
    const granted = lane.limiter.acquire(maxCalls(settings), settings.hookQueueTimeoutMs)
    if (!(granted === true || await granted)) throw queueFull()
    try {
      const timeoutMs = Math.ceil(this.timeoutMs - (performance.now() - startedAt))
      // The hook was not asked: that is no failure of its own, and must not open its breaker.
      if (timeoutMs <= 0) throw queueFull()
      return await this.exchange(lane, call, {
        timeoutMs,
        maxResponseBytes: MAX_RESPONSE_BYTES[operation],
        traceparent: span?.traceparent ?? unsampledTraceparent(traceId),
        onStatus: span && (code => span.set({ 'http.response.status_code': code })),
        decode,
      })
    } finally {
      lane.limiter.release()
    }
  }

  /** Asks the hook; the caller has a slot. */
  private async exchange<T> (
    { breaker, transport }: Lane, { operation, tenantId, settings, traceId, fields }: HookCall,
    { timeoutMs, maxResponseBytes, traceparent, onStatus, decode }: Attempt<T>
  ): Promise<T> {
    try {
      return await breaker.run(async () => {
        const { body, headers } = encodeHookRequest({
          tenantId,
          requestId: `${this.requestPrefix}-${(++this.requests).toString(36)}`,
          traceId,
          timestampMs: BigInt((this.deps.now ?? Date.now)()),
        }, fields, settings.tenantSecret)
        if (traceparent !== undefined) headers[TRACEPARENT] = traceparent
        const answer = await transport.post({
          baseUrl: settings.hookBaseUrl, operation, headers, body, timeoutMs, maxResponseBytes, onStatus,
        })
        try {
          return decode(answer)
        } catch (error) {
          if (error instanceof HookFailure) throw error
          throw new HookFailure('undecodable', 'the response is not the expected protobuf message', { cause: error })
        }
      }, settings.hookBreakerFailureThreshold, settings.hookBreakerOpenMs)
    } catch (error) {
      if ((error as { code?: string }).code === 'EOPENBREAKER') throw breakerOpen()
      throw error
    }
  }

  /** Counts and logs a call that brought no answer. */
  private failed (
    { operation, tenantId, traceId, msgId }: Omit<HookCall, 'fields' | 'settings'>, startedAt: number, error: unknown
  ): HookFailure {
    const { metrics, throttledLog, warn } = this.deps
    const failure = error instanceof HookFailure ? error : new HookFailure('network', String(error), { cause: error })
    metrics.hookCall(tenantId, operation, failure.kind, secondsSince(startedAt))
    throttledLog.log(`hook ${tenantId} ${operation} ${failure.kind}`, warn,
      { tenantId, operation, traceId, msgId, failure: failure.kind, reason: failure.message }, 'hook call failed')
    return failure
  }

  // --- checks in batches

  private checkInBatch (settings: TenantSettings, message: Message, traceId: string, onVerdict: OnVerdict): void {
    const { tenantId, msgId, span: parent } = message
    const span = parent === undefined
      ? undefined
      : spanOf({ operation: 'check-messages', tenantId, msgId, settings }, parent)
    const member = { message, size: messageSize(message), traceId, askedAt: performance.now(), span, onVerdict }
    const unsigned = unsignedCall(settings)
    if (unsigned !== undefined) {
      this.refuse(tenantId, CheckBatch.of(settings, member), unsigned)
      return
    }
    let batches: CheckBatches
    try {
      batches = this.batches.get(tenantId) ?? this.addBatches(tenantId)
    } catch (error) {
      this.refuse(tenantId, CheckBatch.of(settings, member), error)
      return
    }
    batches.join(settings, member)
  }

  private addBatches (tenantId: string): CheckBatches {
    const lane = this.lane(tenantId, 'check-messages')
    const batches = new CheckBatches({
      limiter: lane.limiter,
      refusal: () => lane.breaker.refuses ? breakerOpen() : undefined,
      ask: batch => this.askBatch(tenantId, lane, batch),
      refuse: (batch, failure) => this.refuse(tenantId, batch, failure),
    })
    this.batches.set(tenantId, batches)
    return batches
  }

  /** Asks about the batch, which has a slot. */
  private async askBatch (tenantId: string, lane: Lane, batch: CheckBatch): Promise<void> {
    const now = performance.now()
    const late = batch.takeAskedUntil(now - this.timeoutMs)
    if (late !== undefined) this.refuse(tenantId, late, queueFull())
    const { size, settings, members: [first] } = batch
    if (size === 0) return
    const { traceId, span } = batch.lead
    const { metrics } = this.deps
    metrics.hookBatchMessages.observe(size)
    batch.note({ 'mics.batch_size': size })
    let verdicts: CheckVerdict[]
    try {
      verdicts = await this.exchange(lane, {
        operation: 'check-messages', tenantId, settings, traceId, fields: batch.encode(),
      }, {
        // What is left of it for the one that has waited longest.
        timeoutMs: Math.ceil(this.timeoutMs - (now - first.askedAt)),
        maxResponseBytes: MAX_RESPONSE_BYTES['check-messages'] + size * MAX_VERDICT_BYTES,
        traceparent: span?.traceparent ?? unsampledTraceparent(traceId),
        onStatus: code => batch.note({ 'http.response.status_code': code }),
        decode: body => verdictsIn(body, size),
      })
    } catch (error) {
      this.refuse(tenantId, batch, error)
      return
    }
    const isYes = verdicts.every(({ allow }) => allow)
    metrics.hookCall(tenantId, 'check-messages', isYes ? 'ok' : 'denied', secondsSince(first.askedAt))
    batch.answer(verdicts)
  }

  /** There is no answer for the batch: it counts as one call, like one that was answered. */
  private refuse (tenantId: string, batch: CheckBatch, error: unknown): void {
    const { traceId, message: { msgId } } = batch.lead
    const [{ askedAt }] = batch.members
    batch.fail(this.failed({ operation: 'check-messages', tenantId, traceId, msgId }, askedAt, error))
  }

  private lane (tenantId: string, operation: HookOperation): Lane {
    if (this.deps.tenants.get(tenantId) === undefined) throw tenantGone()
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
    this.batches.get(tenantId)?.close(tenantGone())
    this.batches.delete(tenantId)
    for (const [operation, lane] of ofTenant ?? []) {
      this.deps.metrics.forgetBreaker(tenantId, operation)
      lane.breaker.close()
      await lane.transport.close()
    }
  }
}

/** A client's span by OpenTelemetry's conventions for HTTP, but for the URL: a tenant may keep a secret in its path. */
function spanOf (
  { operation, tenantId, msgId, settings: { hookBaseUrl } }: Omit<HookCall, 'fields' | 'traceId'>, parent: SpanParent
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

function verdictsIn (body: Buffer, count: number): CheckVerdict[] {
  const verdicts = decoded(decodeVerdicts(body, count))
  if (verdicts.length === count) return verdicts
  const found = verdicts.length > count ? 'more verdicts than messages' : `${verdicts.length} verdicts`
  throw new HookFailure('undecodable', `the response has ${found}, asked about ${count} messages: give one for each, in their order`)
}

function unsignedCall ({ hookSignRequired, tenantSecret }: TenantSettings): HookFailure | undefined {
  return hookSignRequired && tenantSecret === ''
    ? new HookFailure('unsigned', 'signing is required and no secret is known: set the tenant\'s secret')
    : undefined
}

function breakerOpen (): HookFailure {
  return new HookFailure('breaker_open', 'breaker is open')
}

function tenantGone (): HookFailure {
  return new HookFailure('tenant_gone', 'the tenant was removed')
}
