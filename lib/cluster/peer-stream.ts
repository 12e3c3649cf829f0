import { Code, ConnectError, createClient } from '@connectrpc/connect'
import { createConnectTransport } from '@connectrpc/connect-node'
import { NodeService, type LinkResponse } from '../gen/mics/node/v1/node_pb.js'
import { PeerConnection } from './peer-connection.js'

export interface PeerStreamOptions {
  endpoint: string
  token: string
  /** Names this process: ids of items are unique within it. */
  processId: string
  /** The peer's member key. */
  to: string
  /** Milliseconds for the peer to accept the stream. */
  openTimeoutMs: number
  /** Milliseconds of silence after which a PING asks whether the connection still stands, and for its answer. */
  pingIntervalMs: number
  pingTimeoutMs: number
  /** Bytes of a request or a response. */
  maxBytes: number
}

export interface PeerStreamEvents {
  /** What is to be sent now, as serialized Items; called when the one before has left this process. */
  takeItems: () => Uint8Array[]
  onResponse: (response: LinkResponse) => void
  /** Called once, last. Undefined: the peer ended it in order. */
  onEnd: (error: ConnectError | undefined) => void
}

/**
 * One stream to a peer, on a TCP connection of its own, from the attempt to open it to its end. It takes from its owner
 * only what the connection takes from it, so that what a slow peer does not read waits where it is counted.
 */
export class PeerStream {
  isOpen = false
  private isEnded = false
  private isFlushScheduled = false
  /** Connect asked for the next request and waits for it. */
  private next?: (items: Uint8Array[] | undefined) => void
  private readonly abort = new AbortController()
  private readonly connection: PeerConnection
  private readonly openTimer: NodeJS.Timeout

  constructor (readonly options: PeerStreamOptions, private readonly events: PeerStreamEvents) {
    const { endpoint, openTimeoutMs, pingIntervalMs, pingTimeoutMs } = options
    this.connection = new PeerConnection(endpoint, pingIntervalMs, pingTimeoutMs)
    this.openTimer = setTimeout(() => {
      this.end(new ConnectError(`no answer within ${openTimeoutMs} ms`, Code.DeadlineExceeded))
    }, openTimeoutMs).unref()
    this.run().then(() => this.end(undefined), error => this.end(ConnectError.from(error)))
  }

  /** There is something to take. It leaves at the end of this turn of the event loop, with what has come by then. */
  poke (): void {
    if (!this.isOpen || this.next === undefined || this.isFlushScheduled) return
    this.isFlushScheduled = true
    setImmediate(() => this.flush())
  }

  /** Cuts it off. `onEnd` is not called. */
  close (): void {
    this.isEnded = true
    this.release()
  }

  private async run (): Promise<void> {
    const { endpoint, token, processId, to, maxBytes } = this.options
    const transport = createConnectTransport({
      httpVersion: '2',
      baseUrl: endpoint,
      sessionManager: this.connection,
      acceptCompression: [],
      readMaxBytes: maxBytes,
      writeMaxBytes: maxBytes,
    })
    const responses = createClient(NodeService, transport).link(this.requests(), {
      signal: this.abort.signal,
      headers: { authorization: `Bearer ${token}`, 'mics-process': processId, 'mics-to': to },
    })
    for await (const response of responses) {
      if (this.isEnded) return
      if (!this.isOpen) this.open()
      this.events.onResponse(response)
    }
  }

  private open (): void {
    clearTimeout(this.openTimer)
    this.isOpen = true
    this.poke()
  }

  private async * requests (): AsyncGenerator<{ items: Uint8Array[], sentAtMs: bigint }> {
    for (;;) {
      const items = await new Promise<Uint8Array[] | undefined>(resolve => {
        this.next = resolve
        this.poke()
      })
      if (items === undefined) return
      yield { items, sentAtMs: BigInt(Math.round(performance.now())) }
    }
  }

  private flush (): void {
    this.isFlushScheduled = false
    if (this.isEnded || this.next === undefined) return
    const items = this.events.takeItems()
    if (items.length === 0) return
    const { next } = this
    this.next = undefined
    next(items)
  }

  private end (error: ConnectError | undefined): void {
    if (this.isEnded) return
    this.isEnded = true
    this.release()
    this.events.onEnd(error)
  }

  private release (): void {
    clearTimeout(this.openTimer)
    this.isOpen = false
    this.abort.abort()
    this.next?.(undefined)
    this.next = undefined
    this.connection.close()
  }
}
