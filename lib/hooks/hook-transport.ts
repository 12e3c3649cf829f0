import { Pool, type Dispatcher } from 'undici'
import { HookFailure } from './hook-failure.js'

/** Connections of one hook. The tenant's concurrency limit is the usual bound; this holds while dead ones linger. */
const MAX_CONNECTIONS = 1024

/** Base URLs one hook may alternate between (say, while a tenant moves); the least recently added is closed first. */
const MAX_ORIGINS = 4

export interface HookRequest {
  /** Base URL of the hooks; may have a path. */
  baseUrl: string
  operation: string
  headers: Record<string, string>
  body: Uint8Array
  /** Milliseconds left for connect, request and whole response. */
  timeoutMs: number
  maxResponseBytes: number
  /** Hears the HTTP status of the response. */
  onStatus?: (statusCode: number) => void
}

interface Target {
  pool: Pool
  path: string
}

/**
 * POSTs to one hook of one tenant over keep-alive connections of its own, so that no other hook or tenant ever waits
 * for them. How many are open is bounded by the caller's concurrency limit.
 */
export class HookTransport {
  private readonly targets = new Map<string, Target>()

  /** Resolves to the body of a 2xx response; rejects with HookFailure. */
  post (request: HookRequest): Promise<Buffer> {
    const { pool, path } = this.target(request.baseUrl)
    return new Promise((resolve, reject) => {
      pool.dispatch({
        method: 'POST',
        path: path + request.operation,
        headers: request.headers,
        body: request.body,
      }, new ResponseReader(request, resolve, reject))
    })
  }

  async close (): Promise<void> {
    const pools = [...this.targets.values()].map(target => target.pool)
    this.targets.clear()
    await Promise.all(pools.map(pool => pool.destroy()))
  }

  private target (baseUrl: string): Target {
    let target = this.targets.get(baseUrl)
    if (target === undefined) {
      const url = new URL(baseUrl)
      target = {
        // The deadline of each call is the only timeout; undici's own would be two more timers a call.
        pool: new Pool(url.origin, {
          connections: MAX_CONNECTIONS,
          headersTimeout: 0,
          bodyTimeout: 0,
          connect: { timeout: 1000 },
        }),
        path: url.pathname.replace(/\/*$/, '/'),
      }
      for (const [oldest, { pool }] of this.targets) {
        if (this.targets.size < MAX_ORIGINS) break
        this.targets.delete(oldest)
        pool.close().catch(() => pool.destroy())
      }
      this.targets.set(baseUrl, target)
    }
    return target
  }
}

/** For whoever reads the log: what most often is behind a status. The body may hold a secret and is not read. */
function adviceOn (statusCode: number, operation: string): string {
  switch (statusCode) {
    case 401:
    case 403: return ': the hook server refuses the call: give both sides the same secret of the tenant, and both machines the right time'
    case 404: return operation === 'check-messages'
      ? ': there is no hook at this path: let the server serve /check-messages, or leave check_batch_max_messages at 0 to have it asked by /check-message'
      : ': there is no hook at this path: see the tenant\'s base URL'
    default: return ''
  }
}

/** Collects one response within its deadline and size. */
class ResponseReader implements Dispatcher.DispatchHandler {
  private readonly timer: NodeJS.Timeout
  private readonly chunks: Buffer[] = []
  private bytes = 0
  private controller?: Dispatcher.DispatchController
  private settled = false

  constructor (
    private readonly request: HookRequest,
    private readonly resolve: (body: Buffer) => void,
    private readonly reject: (failure: HookFailure) => void
  ) {
    // After a stall of this process the answer may be here, unread: what has arrived is read before this is decided.
    this.timer = setTimeout(() => setImmediate(() => {
      this.fail(new HookFailure('timeout', 'no complete answer in time'))
    }), request.timeoutMs)
  }

  onRequestStart (controller: Dispatcher.DispatchController): void {
    this.controller = controller
    // The deadline passed while the call waited for a connection.
    if (this.settled) controller.abort(new Error('deadline passed'))
  }

  onResponseStart (_controller: Dispatcher.DispatchController, statusCode: number): void {
    // 102 and 103 only announce the response.
    if (statusCode < 200) return
    this.request.onStatus?.(statusCode)
    if (statusCode > 299) this.fail(new HookFailure('status', `HTTP status ${statusCode}${adviceOn(statusCode, this.request.operation)}`))
  }

  onResponseData (_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.bytes += chunk.length
    if (this.bytes > this.request.maxResponseBytes) {
      this.fail(new HookFailure('too_large', `response larger than ${this.request.maxResponseBytes} bytes`))
    } else {
      this.chunks.push(chunk)
    }
  }

  onResponseEnd (): void {
    if (this.settled) return
    this.settled = true
    clearTimeout(this.timer)
    this.resolve(this.chunks.length === 1 ? this.chunks[0] : Buffer.concat(this.chunks))
  }

  onResponseError (_controller: Dispatcher.DispatchController, error: Error): void {
    this.fail(new HookFailure('network', error.message, { cause: error }))
  }

  private fail (failure: HookFailure): void {
    if (this.settled) return
    this.settled = true
    clearTimeout(this.timer)
    this.reject(failure)
    this.controller?.abort(failure)
  }
}
