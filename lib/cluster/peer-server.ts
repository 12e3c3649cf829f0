import { createHash, timingSafeEqual } from 'node:crypto'
import { once } from 'node:events'
import {
  createServer, constants, type Http2Server, type Http2ServerRequest, type Http2ServerResponse, type ServerHttp2Session,
} from 'node:http2'
import type { AddressInfo } from 'node:net'
import { create } from '@bufbuild/protobuf'
import { Code, ConnectError, createConnectRouter, type HandlerContext } from '@connectrpc/connect'
import { universalRequestFromNodeRequest, universalResponseToNodeResponse } from '@connectrpc/connect-node'
import { LinkResponseSchema, NodeService, type LinkRequest, type LinkResponse } from '../gen/mics/node/v1/node_pb.js'
import type { LogLine, ThrottledLog } from '../log/throttled-log.js'
import type { MessageTracer } from '../message-trace/message-tracer.js'
import type { NodeDirectory } from '../node-directory/node-directory.js'
import { InboundLink } from './inbound-link.js'
import { maxLinkBytes } from './node-rpc-limits.js'
import type { PeerService } from './peers.js'
import { SeenItems } from './seen-items.js'

/** Milliseconds. Peers ping every two seconds when they have nothing to say. */
const SILENCE_MS = 10_000

/** Milliseconds in which a fresh connection must show the token. */
const AUTHORIZATION_MS = 10_000

/** Milliseconds for what is in progress to end, when the server closes. */
const CLOSE_MS = 1000

/** A peer has one connection and one stream; a second of each while it reconnects. */
const MAX_STREAMS_PER_SESSION = 4
const MAX_CONNECTIONS = 1024

/** Milliseconds that what a process has asked for is remembered after its stream ended: longer than it asks again. */
const REMEMBERED_MS = 10 * 60_000

/** Bytes that a peer may send ahead: small enough to be nothing, large enough not to wait for the network. */
const WINDOW_BYTES = 1024 * 1024

export interface PeerServerDeps {
  /** A peer must present one of these. Without any the server does not start. */
  tokens: readonly string[]
  directory: Pick<NodeDirectory, 'self' | 'isStale' | 'refresh'>
  service: PeerService
  /** Answers operators, and peers that were asked by one. */
  tracer: Pick<MessageTracer, 'answer'>
  /** Milliseconds after which a peer gives up a message. */
  timeoutMs: number
  maxMessageBytes: number
  log: { warn: LogLine }
  throttledLog: ThrottledLog
  /** Milliseconds without a sign of life until a connection counts as dead. */
  silenceMs?: number
  /** Unix milliseconds. */
  now?: () => number
}

/** What is known of a process that asks: what it has asked for, and the stream on which it asks now. */
interface Caller {
  readonly seen: SeenItems
  link?: InboundLink
  /** When its last stream ended. */
  endedAt: number
}

/**
 * Answers the peers: HTTP/2 cleartext on its own port. What they say goes to the PeerService, what they ask to the
 * MessageTracer, and nowhere else.
 */
export class PeerServer {
  /** Requests turned away: with no token or a wrong one, or meant for another member. */
  unauthorized = 0
  misdirected = 0
  /** Items that came again, and items that could not be understood or done. */
  repeated = 0
  faults = 0
  /** Items not begun, because they came after the peer had given them up, or for the member that this node was. */
  late = 0
  private readonly http: Http2Server
  private readonly expected: readonly Buffer[]
  /** The members that this process has been to its peers. */
  private readonly ownKeys = new Set<string>()
  /** By process id. */
  private readonly callers = new Map<string, Caller>()
  private readonly links = new Set<InboundLink>()
  private readonly sessions = new Map<ServerHttp2Session, NodeJS.Timeout>()
  private readonly now: () => number
  private isClosing = false

  constructor (private readonly deps: PeerServerDeps) {
    this.expected = deps.tokens.map(token => sha256(`Bearer ${token}`))
    this.now = deps.now ?? Date.now
    this.http = createServer({
      settings: { maxConcurrentStreams: MAX_STREAMS_PER_SESSION, initialWindowSize: WINDOW_BYTES, enablePush: false },
    })
    this.http.maxConnections = MAX_CONNECTIONS
    this.http.setTimeout(deps.silenceMs ?? SILENCE_MS)
    this.http.on('session', session => this.onSession(session))
    const handle = this.handler()
    this.http.on('request', (request, response) => {
      if (this.isAuthorized(request)) handle(request, response)
      else this.turnAway(request, response)
    })
  }

  /** The port it listens on. Rejects when that cannot be had, or without a token. */
  async listen (host: string, port: number): Promise<number> {
    if (this.deps.tokens.length === 0) throw new Error('no token to know peers by: set CLUSTER_GRPC_TOKEN, the same on all nodes')
    // Its own: a worker of several would share the port with them otherwise.
    this.http.listen({ port, host, exclusive: true })
    await once(this.http, 'listening')
    return (this.http.address() as AddressInfo).port
  }

  /** Takes no more, answers what is in progress, for a second at most, and ends all connections. */
  async close (): Promise<void> {
    if (this.isClosing) return
    this.isClosing = true
    const closed = this.http.listening ? new Promise<void>(resolve => this.http.close(() => resolve())) : undefined
    const force = setTimeout(() => {
      for (const session of this.sessions.keys()) session.destroy()
    }, CLOSE_MS)
    for (const link of this.links) link.finish()
    for (const session of this.sessions.keys()) session.close()
    await closed
    clearTimeout(force)
  }

  /** connectNodeAdapter, but that it has a log for what a broken connection leaves to say instead of the console. */
  private handler (): (request: Http2ServerRequest, response: Http2ServerResponse) => void {
    const { handlers } = createConnectRouter({
      grpc: false,
      grpcWeb: false,
      acceptCompression: [],
      readMaxBytes: maxLinkBytes(this.deps.maxMessageBytes),
    }).service(NodeService, {
      link: (requests, context) => this.link(requests, context),
      traceMessage: async question => await this.deps.tracer.answer(question),
    })
    const byPath = new Map(handlers.map(handler => [handler.requestPath, handler]))
    return (request, response) => {
      const handler = byPath.get(request.url)
      if (handler === undefined) {
        response.writeHead(404).end()
        return
      }
      handler(universalRequestFromNodeRequest(request, response, undefined, undefined))
        .then(universal => universalResponseToNodeResponse(universal, response))
        .catch(err => {
          // The peer has gone, as peers do.
          if (ConnectError.from(err).code === Code.Aborted) return
          this.deps.throttledLog.log('node rpc stream', this.deps.log.warn, { err }, 'the stream of a peer broke')
        })
    }
  }

  private onSession (session: ServerHttp2Session): void {
    session.setLocalWindowSize(WINDOW_BYTES)
    const timer = setTimeout(() => session.destroy(), AUTHORIZATION_MS).unref()
    this.sessions.set(session, timer)
    // Without a listener Node answers a ping and does not count it as a sign of life.
    session.on('ping', () => {})
    // What goes wrong on a connection is seen by its streams, and by the peer.
    session.on('error', () => {})
    session.once('close', () => {
      clearTimeout(timer)
      this.sessions.delete(session)
    })
  }

  /** Hashes are compared, and with all tokens, so that neither length, content nor place shows in the time it takes. */
  private isAuthorized (request: Http2ServerRequest): boolean {
    const presented = sha256(request.headers.authorization ?? '')
    const isAuthorized = this.expected.filter(expected => timingSafeEqual(presented, expected)).length > 0
    const { session } = request.stream
    if (isAuthorized && session !== undefined) clearTimeout(this.sessions.get(session as ServerHttp2Session))
    return isAuthorized
  }

  /** Nothing it sends is read, and its connection ends. */
  private turnAway (request: Http2ServerRequest, response: Http2ServerResponse): void {
    this.unauthorized++
    const { throttledLog, log } = this.deps
    throttledLog.log('node rpc token', log.warn, { remoteAddress: request.socket.remoteAddress },
      'a request to the node RPC without the right token: CLUSTER_GRPC_TOKEN must be the same on all nodes')
    const { stream } = response
    const { session } = stream
    stream.respond({ [constants.HTTP2_HEADER_STATUS]: 401 }, { endStream: true })
    stream.close(constants.NGHTTP2_NO_ERROR)
    session?.close()
  }

  private async * link (requests: AsyncIterable<LinkRequest>, context: HandlerContext): AsyncIterable<LinkResponse> {
    const { self } = this.deps.directory
    const to = context.requestHeader.get('mics-to')
    const processId = context.requestHeader.get('mics-process') ?? ''
    this.ownKeys.add(self.key)
    if (to === null || !this.ownKeys.has(to)) {
      this.misdirected++
      throw new ConnectError(`this is not ${to}`, Code.FailedPrecondition)
    }
    if (processId === '') throw new ConnectError('mics-process is missing', Code.InvalidArgument)
    if (this.isClosing) throw new ConnectError('this node is closing', Code.Unavailable)
    const caller = this.caller(processId)
    const link = this.open(processId, to, caller)
    context.signal.addEventListener('abort', () => link.outbox.end())
    try {
      // So that the peer knows that its stream was accepted.
      yield create(LinkResponseSchema)
      link.read(requests)
      yield * link.outbox
    } finally {
      link.outbox.end()
      this.links.delete(link)
      if (caller.link === link) {
        caller.link = undefined
        caller.endedAt = this.now()
      }
    }
  }

  /** By the process and not by the member: one that joins again asks again for what was not answered. */
  private caller (processId: string): Caller {
    let caller = this.callers.get(processId)
    if (caller === undefined) {
      this.forgetTheGone()
      this.callers.set(processId, caller = { seen: new SeenItems(), endedAt: 0 })
    }
    return caller
  }

  private forgetTheGone (): void {
    for (const [processId, { link, endedAt }] of this.callers) {
      if (link === undefined && this.now() - endedAt > REMEMBERED_MS) this.callers.delete(processId)
    }
  }

  /** A peer has one stream. What an older one still brings, the newer brings again. */
  private open (processId: string, to: string, caller: Caller): InboundLink {
    const { service, timeoutMs, throttledLog, log } = this.deps
    caller.link?.outbox.end()
    caller.link = new InboundLink({
      service,
      seen: caller.seen,
      timeoutMs,
      isAddressee: () => this.isStill(to),
      now: this.now,
      onLate: () => { this.late++ },
      onRepeated: () => { this.repeated++ },
      onFault: (kind, err) => {
        this.faults++
        throttledLog.log(`node rpc item ${processId} ${kind}`, log.warn, { err, process: processId, kind }, 'an item of a peer failed')
      },
    })
    this.links.add(caller.link)
    return caller.link
  }

  /** A process that stood still for longer than its lease finds out first whether it is still who it was. */
  private isStill (memberKey: string): boolean | Promise<boolean> {
    const { directory } = this.deps
    if (!directory.isStale) return directory.self.key === memberKey
    return directory.refresh().then(() => directory.self.key === memberKey, () => directory.self.key === memberKey)
  }
}

function sha256 (text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
