import { randomBytes } from 'node:crypto'
import type { Socket } from 'node:net'
import { equals } from '@bufbuild/protobuf'
import type { WebSocket } from 'ws'
import type { HandshakeGate } from '../admission/handshake-gate.js'
import type { TenantSettings } from '../config/gateway-config.js'
import { TenantRuntimeConfigSchema, type AuthResponse, type TenantRuntimeConfig } from '../gen/mics/hook/v1/hook_pb.js'
import type { HookResult } from '../hooks/hook-failure.js'
import type { HooksClient } from '../hooks/hooks-client.js'
import type { Lifecycle } from '../lifecycle/lifecycle.js'
import type { GatewayMetrics } from '../metrics/gateway-metrics.js'
import type { TenantMetrics } from '../metrics/tenant-metrics.js'
import { CloseCode, closeReason } from '../protocol/close-codes.js'
import type { NoPlace, Presence } from '../presence/presence.js'
import { InvalidRuntimeConfigError, type Tenant } from '../tenants/tenant.js'
import type { ConnectionTrace } from '../tracing/connection-trace.js'
import type { Tracing } from '../tracing/tracing.js'
import type { ConnectParams } from './connect-params.js'
import { Session, type SessionDeps, type SessionIdentity } from './session.js'

/** Bytes a client may send before it is let in; then reading pauses until it is. */
const MAX_EARLY_BYTES = 64 * 1024

/** Characters of a deviceId. It is a key and in every log line of its connection. */
const MAX_DEVICE_ID_LENGTH = 256

/** Milliseconds for a refused client to answer the close frame. Until then it may still send, so this is short. */
const REFUSED_TIMEOUT_MS = 2000

/** The metrics label for connections of no known tenant: their tenant ids are anybody's invention. */
const NO_TENANT = 'unknown'

/** Why a connection is not let in. */
class Refusal {
  constructor (readonly code: CloseCode, readonly reason: string) {}
}

export interface HandshakeDeps extends SessionDeps {
  auth: Pick<HooksClient, 'auth'>
  gate: HandshakeGate
  presence: Pick<Presence, 'enter' | 'started' | 'abandon' | 'leave'>
  lifecycle: Lifecycle
  gatewayMetrics: GatewayMetrics
  /** None: nothing is traced. */
  tracing?: Pick<Tracing, 'connection'>
}

/**
 * Turns a fresh WebSocket into a session: the tenant is known, the storm gate is open, the auth hook says yes, the
 * limits leave room. A client that is not let in, or is gone before it could be, leaves nothing behind.
 */
export class Handshakes {
  private begun = 0
  /** The last runtime config of each tenant: connections with an equal one share it. */
  private readonly runtimes = new Map<string, TenantRuntimeConfig>()

  constructor (private readonly deps: HandshakeDeps) {
    deps.tenants.on('removed', tenantId => this.runtimes.delete(tenantId))
  }

  /** Never rejects. Must be called in the turn in which the WebSocket opened, or frames are missed. */
  async run (ws: WebSocket, socket: Socket, params: ConnectParams): Promise<void> {
    const { deps } = this
    const traceId = randomBytes(16).toString('hex')
    const trace = this.trace(params, traceId)
    const begun = ++this.begun
    const early: Array<[Buffer, boolean]> = []
    let earlyBytes = 0
    let receive = (data: Buffer, isBinary: boolean): void => {
      early.push([data, isBinary])
      earlyBytes += data.length
      // The bound counts frames as well: an empty one takes memory too.
      if (earlyBytes + early.length * 64 > MAX_EARLY_BYTES) ws.pause()
    }
    ws.on('message', (data: Buffer, isBinary: boolean) => receive(data, isBinary))
    try {
      const answer = await this.authenticate(params, traceId, trace)
      if (ws.readyState !== ws.OPEN) return trace?.gone()
      const admitted = answer instanceof Refusal ? answer : await this.admit(ws, params, answer, begun, traceId)
      if (admitted === undefined) return trace?.gone()
      if (admitted instanceof Refusal) {
        receive = ignore
        trace?.refused(admitted.code)
        return this.refuse(ws, params, traceId, admitted)
      }
      const session = new Session(deps, ws, socket, { ...admitted, trace })
      trace?.admitted(session.userId, session.deviceId)
      session.start()
      deps.presence.started(session)
      deps.log.info(session.logFields(), 'client connected')
      ws.resume()
      receive = session.receive.bind(session)
      for (const [data, isBinary] of early.splice(0)) session.receive(data, isBinary)
    } catch (error) {
      deps.log.error({ err: error, tenantId: params.tenantId, traceId }, 'handshake failed unexpectedly')
      receive = ignore
      trace?.failed()
      ws.resume()
      ws.close(CloseCode.UNAVAILABLE, 'internal error')
    } finally {
      trace?.connected()
    }
  }

  /** Undefined: this connection is not traced. */
  private trace ({ tenantId, deviceId }: ConnectParams, traceId: string): ConnectionTrace | undefined {
    return this.deps.tracing?.connection(traceId, { 'mics.tenant_id': tenantId, 'mics.device_id': deviceId })
  }

  /** Asks the auth hook, where there is somebody to ask for and the gate is open. */
  private async authenticate (
    params: ConnectParams, traceId: string, trace: ConnectionTrace | undefined
  ): Promise<Refusal | AuthResponse> {
    const { tenants, gate, gatewayMetrics } = this.deps
    const { tenantId, token } = params
    if (tenantId === '') return new Refusal(CloseCode.UNKNOWN_TENANT, 'missing tenantId')
    const configured = tenants.get(tenantId)
    if (configured === undefined) return new Refusal(CloseCode.UNKNOWN_TENANT, 'unknown tenant')
    if (token === '') return new Refusal(CloseCode.AUTH_FAILED, 'missing token')
    if (params.deviceId === '') return new Refusal(CloseCode.AUTH_FAILED, 'missing deviceId')
    if (params.deviceId.length > MAX_DEVICE_ID_LENGTH) return new Refusal(CloseCode.AUTH_FAILED, 'deviceId too long')

    if (!gate.enter(tenantId)) {
      gatewayMetrics.tenant(tenantId).rateLimited.add('handshake')
      return new Refusal(CloseCode.UNAVAILABLE, 'too many connections at once: retry with backoff')
    }
    const answer = await this.ask(configured, params, traceId, trace)
    if (!answer.ok) return new Refusal(CloseCode.UNAVAILABLE, 'cannot authenticate now: retry with backoff')
    const { ok, reason, userId } = answer.value
    if (!ok) return new Refusal(CloseCode.AUTH_FAILED, reason || 'authentication failed')
    if (userId === '') return this.badAnswer(tenantId, 'auth hook answered without user_id')
    return answer.value
  }

  /** The auth hook's answer; the gate counts the client until it is there. */
  private async ask (
    tenant: Tenant, { token, deviceId }: ConnectParams, traceId: string, trace: ConnectionTrace | undefined
  ): Promise<HookResult<AuthResponse>> {
    const { auth, gate } = this.deps
    try {
      return await auth.auth(tenant.id, tenant.settingsFor(undefined), token, deviceId, traceId, trace)
    } finally {
      gate.leave(tenant.id)
    }
  }

  /** Finds the authenticated client its place, where there is one. Undefined: it is gone. */
  private async admit (
    ws: WebSocket, params: ConnectParams, answer: AuthResponse, begun: number, traceId: string
  ): Promise<Refusal | SessionIdentity | undefined> {
    const { presence, gatewayMetrics } = this.deps
    const { tenantId } = params
    const { userId } = answer
    const early = this.check(tenantId, answer)
    if (early instanceof Refusal) return early
    const deviceId = answer.deviceId || params.deviceId
    const metrics = gatewayMetrics.tenant(tenantId)
    const place = await presence.enter(tenantId, userId, deviceId, begun, early.settings)
    if (typeof place === 'string') return this.noPlace(place, metrics)
    // Much may have happened meanwhile. From here to the session's start nothing waits.
    const checked = this.check(tenantId, answer)
    if (checked instanceof Refusal || ws.readyState !== ws.OPEN) {
      presence.abandon(tenantId, userId, deviceId, place)
      return checked instanceof Refusal ? checked : undefined
    }
    const { tenant, runtime, settings } = checked
    gatewayMetrics.limits(tenantId, settings.tenantMaxConnections, settings.tenantMaxMessageQps)
    return { tenant, runtime, userId, deviceId, traceId, begun, place, metrics }
  }

  /** While a client waited, its tenant may have changed or gone, and the node may have begun to drain. */
  private check (
    tenantId: string, answer: AuthResponse
  ): Refusal | { tenant: Tenant, runtime: TenantRuntimeConfig | undefined, settings: TenantSettings } {
    const { tenants, lifecycle } = this.deps
    const tenant = tenants.get(tenantId)
    if (tenant === undefined) return new Refusal(CloseCode.UNKNOWN_TENANT, 'unknown tenant')
    if (lifecycle.isDraining) return new Refusal(CloseCode.DRAINING, 'this node is draining')
    const runtime = this.intern(tenant, answer.config)
    const settings = this.settingsOf(tenant, runtime)
    return settings instanceof Refusal ? settings : { tenant, runtime, settings }
  }

  private noPlace (why: NoPlace, metrics: TenantMetrics): Refusal {
    switch (why) {
      case 'replaced':
        return new Refusal(CloseCode.REPLACED, 'replaced by a newer connection of this device')
      case 'unavailable':
        return new Refusal(CloseCode.UNAVAILABLE, 'cannot register now: retry with backoff')
      case 'tenant_connections':
        metrics.rateLimited.add(why)
        return new Refusal(CloseCode.CONNECTION_LIMIT, 'connection limit of the tenant reached')
      case 'user_connections':
        metrics.rateLimited.add(why)
        return new Refusal(CloseCode.CONNECTION_LIMIT, 'connection limit of the user reached')
    }
  }

  private settingsOf (tenant: Tenant, runtime: TenantRuntimeConfig | undefined): TenantSettings | Refusal {
    try {
      return tenant.settingsFor(runtime)
    } catch (error) {
      if (!(error instanceof InvalidRuntimeConfigError)) throw error
      return this.badAnswer(tenant.id, error.message)
    }
  }

  /** The hook answered, but with something that cannot be used: that is the tenant's to mend, and the log says what. */
  private badAnswer (tenantId: string, problem: string): Refusal {
    const { throttledLog, log } = this.deps
    throttledLog.log(`bad auth answer ${tenantId} ${problem}`, log.warn.bind(log), { tenantId, problem },
      'auth hook gave an unusable answer')
    return new Refusal(CloseCode.UNAVAILABLE, 'cannot authenticate now: retry with backoff')
  }

  /** Equal configs become one object, so that a hundred thousand connections do not hold as many copies. */
  private intern (tenant: Tenant, config: TenantRuntimeConfig | undefined): TenantRuntimeConfig | undefined {
    if (config === undefined) return undefined
    const last = this.runtimes.get(tenant.id)
    if (last !== undefined && equals(TenantRuntimeConfigSchema, last, config)) return last
    this.runtimes.set(tenant.id, config)
    return config
  }

  private refuse (ws: WebSocket, params: ConnectParams, traceId: string, refusal: Refusal): void {
    const { gatewayMetrics, tenants, throttledLog, log } = this.deps
    const { code, reason } = refusal
    const tenantId = tenants.get(params.tenantId) === undefined ? NO_TENANT : params.tenantId
    gatewayMetrics.tenant(tenantId).closes.add(code)
    // The reason may be the auth hook's, and a hook may quote the token.
    const logged = params.token === '' ? reason : reason.replaceAll(params.token, '[token]')
    const requested = tenantId === NO_TENANT ? params.tenantId.slice(0, 128) : undefined
    throttledLog.log(`refused ${tenantId} ${code}`, log.info.bind(log),
      { tenantId, requested, code, reason: logged, traceId }, 'connection refused')
    // It may have been paused for early frames; the peer's own close frame must be read for the socket to end.
    ws.resume()
    ws.close(code, closeReason(reason))
    const timer = setTimeout(() => ws.terminate(), REFUSED_TIMEOUT_MS).unref()
    ws.once('close', () => clearTimeout(timer))
  }
}

function ignore (): void {}
