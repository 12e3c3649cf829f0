import type { IncomingMessage, ServerResponse } from 'node:http'
import { InvalidAnswerError } from './answer-checks.js'
import { CallVerifier, type HeaderOf } from './call-verifier.js'
import { readEnvelope, type Envelope } from './envelope.js'
import { HookMetrics, type Outcome } from './hook-metrics.js'
import type { HookCall } from './hooks.js'
import { ThrottledLogger, withoutControls } from './logger.js'
import { operationsOf, type Operation } from './operations.js'
import { checkOptions, type CheckedOptions, type FailedCall, type HookHandlerOptions } from './options.js'
import { Refusal } from './refusal.js'
import { readRequest, readStream, type BodyLimits } from './request-body.js'
import { RequestIdMemory } from './request-ids.js'

/** A request of whatever HTTP server, before its body is read. */
export interface HookRequest {
  method: string
  /** Without the query. */
  path: string
  headerOf: HeaderOf
  readBody: (limits: BodyLimits) => Promise<Uint8Array>
  /** Aborts when the caller is gone. */
  signal: AbortSignal
}

export interface HookResponse {
  status: number
  headers: Record<string, string>
  body: Uint8Array
}

/** Characters of an id or a path that callbacks and the log are given. Ids that the gateway takes are shorter. */
const MAX_SHOWN = 512

/** Serves the hooks of one tenant or of several. Its functions may be taken off it and handed on. */
export class HookHandler {
  private readonly options: CheckedOptions
  private readonly operations: ReturnType<typeof operationsOf>
  private readonly verifier: CallVerifier
  private readonly counts: HookMetrics
  private readonly log: ThrottledLogger
  /** Of the bodies of calls that are read or answered now. */
  private bytesInProgress = 0

  /** @throws TypeError where an option is missing or wrong; it names it. */
  constructor (options: HookHandlerOptions) {
    this.options = checkOptions(options)
    const { requestIds, maxRequestIds, logger } = this.options
    const memory = requestIds === undefined ? new RequestIdMemory(maxRequestIds) : undefined
    this.operations = operationsOf(this.options.hooks)
    this.verifier = new CallVerifier(this.options, requestIds ?? memory as RequestIdMemory)
    this.counts = new HookMetrics(() => memory)
    this.log = new ThrottledLogger(logger)
  }

  /** A listener for node:http, and for Express, in front of whatever reads bodies there. It always answers. */
  readonly node = (request: IncomingMessage, response: ServerResponse): void => {
    this.answerNode(request, response, (request.url ?? '/').split('?')[0]).then(answer => {
      if (response.destroyed || response.writableEnded) return
      response.writeHead(answer.status, { ...answer.headers, 'content-length': answer.body.byteLength })
      response.end(answer.body)
    }).catch(error => {
      this.log.error('node', { err: error }, 'a hook call could not be answered')
      response.destroy()
    })
  }

  /** Request in, Response out: for Hono, Next.js, Deno, Bun and the like. It never rejects. */
  readonly fetch = async (request: Request): Promise<Response> => {
    const { status, headers, body } = await this.answer({
      method: request.method,
      path: new URL(request.url).pathname,
      headerOf: name => request.headers.get(name) ?? undefined,
      readBody: limits => readRequest(request, limits),
      // Some runtimes have none: then nobody tells that the gateway is gone.
      signal: (request.signal as AbortSignal | undefined) ?? new AbortController().signal,
    })
    return new Response(new Uint8Array(body), { status, headers })
  }

  /** For servers that have neither: answers a request that you have described. It never rejects. */
  readonly answer = async (request: HookRequest): Promise<HookResponse> => {
    let held = 0
    const hold = (bytes: number): boolean => {
      if (this.bytesInProgress + bytes > this.options.maxBytesInProgress) return false
      this.bytesInProgress += bytes
      held += bytes
      return true
    }
    try {
      const operation = this.operationOf(request)
      const { maxBodyBytes: maxBytes, bodyTimeoutMs: timeoutMs, maxCallsInProgress } = this.options
      const body = await request.readBody({ maxBytes, timeoutMs, hold })
      if (this.counts.inProgress >= maxCallsInProgress) {
        throw new Refusal('busy', `${maxCallsInProgress} calls are in progress: let handlers answer faster, or give up when their signal aborts`)
      }
      return await this.call(operation, body, request)
    } catch (error) {
      if (error instanceof Refusal) return this.refuse(error, request)
      this.log.error('server', { err: error }, 'a hook call could not be answered')
      return text(500, 'this server has failed: see its log')
    } finally {
      this.bytesInProgress -= held
    }
  }

  /** For servers of node:http that route by themselves. `path` is without the query. */
  readonly answerNode = async (
    request: IncomingMessage & { body?: unknown }, response: ServerResponse, path: string
  ): Promise<HookResponse> => {
    const gone = new AbortController()
    const onClose = (): void => {
      if (!response.writableFinished) gone.abort(new Error('the gateway has given the call up'))
    }
    response.once('close', onClose)
    return await this.answer({
      method: request.method ?? '',
      path,
      headerOf: name => {
        const value = request.headers[name]
        return Array.isArray(value) ? value.join(', ') : value
      },
      readBody: async limits => {
        // Some frameworks read bodies first. As bytes that is as good; parsed, the signature could not be verified.
        if (request.body instanceof Uint8Array) return request.body
        if (request.readableEnded) {
          throw new Error('the body was read before: mount the hooks in front of whatever parses bodies')
        }
        return await readStream(request, request.headers['content-length'], limits)
      },
      signal: gone.signal,
    })
  }

  /** Counts and durations of the calls, in Prometheus' text format (`text/plain; version=0.0.4`). */
  readonly metrics = (): string => this.counts.text()

  private operationOf ({ method, path, headerOf }: HookRequest): Operation {
    const { basePath } = this.options
    const name = path.startsWith(basePath) ? path.slice(basePath.length) : ''
    if (!Object.hasOwn(this.operations, name)) {
      const known = Object.keys(this.operations).map(operation => basePath + operation)
      throw new Refusal('unknown_path', `there is no hook at this path: they are ${known.join(', ')}`)
    }
    if (method !== 'POST') throw new Refusal('wrong_method', 'hooks are called with POST')
    const type = (headerOf('content-type') ?? '').split(';')[0].trim().toLowerCase()
    if (!/^application\/(x-)?protobuf$/.test(type)) {
      throw new Refusal('wrong_content_type', 'the body must be protobuf, with Content-Type: application/protobuf')
    }
    if (!/^(identity)?$/i.test(headerOf('content-encoding') ?? '')) {
      throw new Refusal('wrong_content_type', 'the body must come as it was signed: let no proxy on the way compress it (Content-Encoding)')
    }
    return name as Operation
  }

  private async call (operation: Operation, body: Uint8Array, request: HookRequest): Promise<HookResponse> {
    const startedAt = performance.now()
    const envelope = envelopeOf(body)
    const { tenantId, requestId, traceId } = envelope.meta
    const failed: FailedCall = {
      operation, tenantId: shown(tenantId), requestId: shown(requestId), traceId: shown(traceId),
    }
    const finish = (outcome: Outcome): void => {
      const seconds = (performance.now() - startedAt) / 1000
      this.counts.answered(operation, outcome, seconds)
      if (seconds * 1000 > this.options.gatewayTimeoutMs || outcome === 'abandoned') this.warnOfSlow(failed, seconds)
    }
    this.counts.inProgress++
    // Counted until the handler itself is done, also where nobody waits for it any more.
    const asked = this.ask(operation, body, envelope, request).finally(() => { this.counts.inProgress-- })
    const gone = whenAborted(request.signal)
    try {
      const answer = await Promise.race([asked, gone.promise])
      if (answer === undefined) {
        asked.catch(error => this.report(error, failed))
        finish('abandoned')
        return text(503, 'the gateway has given the call up')
      }
      finish(answer.isDenied ? 'denied' : 'ok')
      this.counts.checkedMessages(operation, answer.verdicts)
      return { status: 200, headers: { 'content-type': 'application/protobuf' }, body: answer.body }
    } catch (error) {
      if (error instanceof Refusal) return this.refuse(error, request, failed)
      finish(error instanceof InvalidAnswerError ? 'invalid_answer' : 'error')
      this.report(error, failed)
      return text(500, 'the handler of this hook has failed: see the log of its server')
    } finally {
      gone.forget()
    }
  }

  private async ask (operation: Operation, body: Uint8Array, envelope: Envelope, { headerOf, signal }: HookRequest) {
    await this.verifier.verify(envelope, body, headerOf)
    const { tenantId, requestId, traceId, timestampMs } = envelope.meta
    const call: HookCall = { tenantId, requestId, traceId, timestampMs: Number(timestampMs), signal }
    return await this.operations[operation](body, envelope.meta, call)
  }

  private refuse (refusal: Refusal, { path, method }: HookRequest, call?: FailedCall): HookResponse {
    const { reason, status, message } = refusal
    this.counts.refusedCall(reason)
    this.log.warn(reason, { reason, status, method, path: shown(path), ...call }, `hook call refused: ${message}`)
    this.tell('onRefused', () => this.options.onRefused?.({ reason, status, message, ...call }))
    const answer = text(status, message)
    if (reason === 'wrong_method') answer.headers.allow = 'POST'
    if (refusal.leavesBody) answer.headers.connection = 'close'
    return answer
  }

  private report (error: unknown, call: FailedCall): void {
    if (error instanceof Refusal) return
    if (this.options.onError !== undefined) this.tell('onError', () => this.options.onError?.(error, call))
    else this.log.error(`${call.operation} failed`, { ...call, err: error }, `hook handler failed: ${messageOf(error)}`)
  }

  /** Calls back. What that throws changes nothing here; nor does what it rejects with, where it is async. */
  private tell (name: string, callBack: () => unknown): void {
    const onThrown = (thrown: unknown): void => this.log.error(name, { err: thrown }, `${name} threw`)
    try {
      Promise.resolve(callBack()).catch(onThrown)
    } catch (thrown) {
      onThrown(thrown)
    }
  }

  private warnOfSlow (call: FailedCall, seconds: number): void {
    this.counts.slowCall(call.operation)
    this.log.warn(`${call.operation} slow`, { ...call, durationMs: Math.round(seconds * 1000) },
      `the gateway waits ${this.options.gatewayTimeoutMs} ms for a hook, and counts this call as failed`)
  }
}

/** Serves the hooks of one tenant or of several. Throws a TypeError where an option is missing or wrong. */
export function createHookHandler (options: HookHandlerOptions): HookHandler {
  return new HookHandler(options)
}

function envelopeOf (body: Uint8Array): Envelope {
  try {
    return readEnvelope(body)
  } catch (error) {
    throw new Refusal('undecodable', `the body is no hook request in protobuf: ${messageOf(error)}`)
  }
}

/** Resolves with nothing when the signal aborts. `forget` takes off what listens: the signal may outlive the call. */
function whenAborted (signal: AbortSignal): { promise: Promise<undefined>, forget: () => void } {
  let listener = (): void => {}
  const promise = new Promise<undefined>(resolve => {
    listener = () => resolve(undefined)
    if (signal.aborted) listener()
    else signal.addEventListener('abort', listener, { once: true })
  })
  return { promise, forget: () => signal.removeEventListener('abort', listener) }
}

/** Whoever calls chooses these: what is shown of them is short, and writes nothing to a reader's terminal. */
function shown (text: string): string {
  return withoutControls(text.slice(0, MAX_SHOWN))
}

function messageOf (error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

function text (status: number, message: string): HookResponse {
  return { status, headers: { 'content-type': 'text/plain; charset=utf-8' }, body: Buffer.from(`${message}\n`) }
}
