import { randomBytes } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import { Pool } from 'undici'
import { encodeHookRequest, type SignedRequest } from '../hooks/hook-request.js'
import { MAX_RESPONSE_BYTES, type HookOperation } from '../hooks/hooks-client.js'
import { TRACEPARENT, unsampledTraceparent } from '../tracing/traceparent.js'

/** Milliseconds to connect, as in HookTransport. */
const CONNECT_TIMEOUT_MS = 1000

/** Connections of one hook, as in HookTransport. */
const MAX_CONNECTIONS = 1024

export interface ProbeCall {
  operation: HookOperation
  baseUrl: string
  /** The request serialized without `meta`. */
  fields: Uint8Array
  /** Empty: unsigned. */
  secret: string
  /** When the call says it was made; now, where it is not given. Unix milliseconds. */
  timestampMs?: number
}

export interface Answer {
  status: number
  headers: IncomingHttpHeaders
  body: Buffer
  /** The body is larger than the gateway takes; `body` is its beginning. */
  isTooLarge: boolean
}

/** One call and what came of it. */
export interface Exchange {
  operation: HookOperation
  url: string
  /** Milliseconds from the call to the end of the answer, or to where there was none. */
  ms: number
  isSigned: boolean
  /** Undefined: there was none, and `error` says why. */
  answer?: Answer
  error?: Error
}

/**
 * Calls hooks as the gateway does: the same bodies and headers, and for each hook keep-alive connections of its own.
 * Only it waits longer than the gateway, so that it can say how slow a server is, and keeps what a server answered
 * beside 2xx, so that it can say why.
 */
export class HookProbe {
  /** Connections opened so far. */
  connects = 0
  private readonly pools = new Map<string, Pool>()
  private readonly requestPrefix = `doctor-${randomBytes(6).toString('hex')}`
  private requests = 0
  readonly traceId = randomBytes(16).toString('hex')

  /** @param timeoutMs milliseconds after which a call is given up */
  constructor (private readonly tenantId: string, private readonly timeoutMs: number) {}

  /** A request with all that the gateway would send. */
  request ({ fields, secret, timestampMs = Date.now() }: ProbeCall): SignedRequest {
    const request = encodeHookRequest({
      tenantId: this.tenantId,
      requestId: `${this.requestPrefix}-${(++this.requests).toString(36)}`,
      traceId: this.traceId,
      timestampMs: BigInt(timestampMs),
    }, fields, secret)
    const traceparent = unsampledTraceparent(this.traceId)
    if (traceparent !== undefined) request.headers[TRACEPARENT] = traceparent
    return request
  }

  /** Never rejects. */
  async call (call: ProbeCall): Promise<Exchange> {
    return await this.send(call, this.request(call))
  }

  /** Sends a request that may have been tampered with. Never rejects. */
  async send ({ operation, baseUrl }: Pick<ProbeCall, 'operation' | 'baseUrl'>, request: SignedRequest): Promise<Exchange> {
    const url = new URL(baseUrl)
    const path = url.pathname.replace(/\/*$/, '/') + operation
    const isSigned = request.headers['x-mics-signature'] !== undefined
    const deadline = AbortSignal.timeout(this.timeoutMs)
    const startedAt = performance.now()
    const exchange = { operation, url: url.origin + path, isSigned }
    try {
      const response = await this.pool(url.origin, operation).request({
        method: 'POST', path, headers: request.headers, body: request.body, signal: deadline,
      })
      const chunks: Buffer[] = []
      let bytes = 0
      let isTooLarge = false
      for await (const chunk of response.body as AsyncIterable<Buffer>) {
        bytes += chunk.length
        isTooLarge = bytes > MAX_RESPONSE_BYTES[operation]
        if (isTooLarge) break
        chunks.push(chunk)
      }
      const ms = performance.now() - startedAt
      const { statusCode: status, headers } = response
      return { ...exchange, ms, answer: { status, headers, body: Buffer.concat(chunks), isTooLarge } }
    } catch (error) {
      return { ...exchange, ms: performance.now() - startedAt, error: error as Error }
    }
  }

  async close (): Promise<void> {
    const pools = [...this.pools.values()]
    this.pools.clear()
    await Promise.all(pools.map(pool => pool.destroy()))
  }

  private pool (origin: string, operation: HookOperation): Pool {
    const key = `${operation} ${origin}`
    let pool = this.pools.get(key)
    if (pool === undefined) {
      pool = new Pool(origin, {
        connections: MAX_CONNECTIONS, headersTimeout: 0, bodyTimeout: 0, connect: { timeout: CONNECT_TIMEOUT_MS },
      })
      pool.on('connect', () => { this.connects++ })
      this.pools.set(key, pool)
    }
    return pool
  }
}
