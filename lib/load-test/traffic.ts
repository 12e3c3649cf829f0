import { LoadHeartbeats } from './heartbeats.js'
import { emptyLatencies, record, type LatencyName } from './latencies.js'
import { LoadConnection, type LoadConnectionListener } from './load-connection.js'
import { LoadError } from './load-error.js'
import type { CompleteLoadOptions, LoadUser } from './load-options.js'
import { Stream } from './stream.js'
import { count, emptyTally } from './tally.js'
import { LoadUsers } from './users.js'

/** What a thread does of a run. */
export interface TrafficPlan {
  options: CompleteLoadOptions
  /** 24 bits: tells this run's messages from those of another. */
  run: number
  thread: number
}

/** What a mode hears of a connection that it has opened. */
export interface ConnectionHandlers {
  onAck?: LoadConnectionListener['onAck']
  onDelivery?: LoadConnectionListener['onDelivery']
  /** One that was connected has ended. `isOurs`: because the mode has closed it. */
  onEnd?: (connection: LoadConnection, isOurs: boolean) => void
}

/** Those who get the messages of a stream. */
export class Audience {
  /** Streams so far. */
  streams = 0
}

export interface StreamPlace {
  stream: Stream
  audience: Audience
  /** Of the stream, in its audience. */
  slot: number
}

/** What no further attempt would help. */
const fatal: Record<string, (address: string) => string> = {
  EADDRNOTAVAIL: address => `no local port is left for a connection to ${address}, or a source address is none of this machine's: a source address has about 28,000 ports for each URL. Give more of them with --source-addresses (127.0.0.2,127.0.0.3 for a gateway on this machine), or further URLs`,
  EMFILE: address => `no further connection to ${address}: this process may have no more files open. Raise the limit in this shell with ulimit -n 200000, or ask for fewer connections`,
  ENFILE: address => `no further connection to ${address}: this machine may have no more files open. Raise fs.file-max, or ask for fewer connections`,
}

for (const code of [
  'DEPTH_ZERO_SELF_SIGNED_CERT', 'SELF_SIGNED_CERT_IN_CHAIN', 'UNABLE_TO_GET_ISSUER_CERT', 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
]) {
  fatal[code] = address => `the certificate of ${address} is signed by nobody whom this process trusts. Name the file with the certificate of who signed it, in PEM: NODE_EXTRA_CA_CERTS=ca.pem mics load ...`
}

/** What the connections of a thread have in common: counts, latencies, heartbeats, streams. */
export class Traffic {
  readonly options: CompleteLoadOptions
  readonly tally = emptyTally()
  readonly latencies = emptyLatencies()
  readonly users: LoadUsers
  readonly runStamp: number
  /** Set when the load that counts for latencies begins. */
  isMeasuring = false
  /** Rejects when it makes no sense to go on. */
  readonly failed: Promise<never>
  #fail!: (error: LoadError) => void
  readonly #urls: URL[]
  readonly #places: StreamPlace[] = []
  readonly #open = new Set<LoadConnection>()
  readonly #heartbeats: LoadHeartbeats
  #onAllClosed = (): void => {}
  #isClosed = false
  /** Heartbeats of open connections whose answers have not come. */
  #awaitedPongs = 0

  constructor (plan: TrafficPlan) {
    this.options = plan.options
    this.users = new LoadUsers(plan.options)
    this.runStamp = (plan.thread << 24 | plan.run & 0xffffff) >>> 0
    this.#urls = plan.options.urls.map(url => new URL(url))
    this.failed = new Promise((_resolve, reject) => { this.#fail = reject })
    this.failed.catch(() => {})
    this.#heartbeats = new LoadHeartbeats(plan.options.heartbeatSeconds * 1000, (connection, nowMs) => {
      if (!connection.ping(nowMs)) return
      this.#awaitedPongs++
      this.tally.heartbeats.sent++
    })
  }

  get urlCount (): number {
    return this.#urls.length
  }

  /** Connected, or about to be. */
  get openConnections (): number {
    return this.#open.size
  }

  record (name: LatencyName, us: number): void {
    if (this.isMeasuring) record(this.latencies[name], us)
  }

  openStream (audience: Audience, options: { recipients: number, isHeldDelivered?: boolean }): StreamPlace {
    const stream = new Stream(this.#places.length, this.tally, { isHeldDelivered: false, ...options })
    const place = { stream, audience, slot: audience.streams++ }
    this.#places.push(place)
    return place
  }

  streamAt (index: number): StreamPlace | undefined {
    return this.#places[index]
  }

  /** Whether everything that was sent has been answered and received. */
  get isSettled (): boolean {
    return this.#places.every(({ stream }) => stream.isSettled)
  }

  /** Whether each heartbeat has been answered, but for those of connections that have ended. */
  get isAnswered (): boolean {
    return this.#awaitedPongs === 0
  }

  stopHeartbeats (): void {
    this.#heartbeats.stop()
  }

  /** Counts what is still open, as it is. */
  closeStreams (): void {
    for (const { stream } of this.#places) stream.close()
  }

  /**
   * @param where which URL and source address, by their numbers
   * @param dueMs when the attempt was to be made
   * @returns undefined where the gateway did not let it in, and when all is closed already
   */
  connect (
    { userId, token }: LoadUser, tenantId: string, where: { url: number, source: number },
    dueMs: number, handlers: ConnectionHandlers
  ): Promise<LoadConnection | undefined> {
    const { deviceId, sourceAddresses, connectTimeoutSeconds } = this.options
    const url = this.#urls[where.url % this.#urls.length]
    const localAddress = sourceAddresses.at(where.source % (sourceAddresses.length || 1))
    const timeoutMs = connectTimeoutSeconds * 1000
    const { connections, complaints, heartbeats } = this.tally
    if (this.#isClosed) return Promise.resolve(undefined)
    connections.attempted++
    return new Promise(resolve => {
      const listener: LoadConnectionListener = {
        onConnected: connection => {
          connections.connected++
          record(this.latencies.connect, (connection.connectedAt - dueMs) * 1000)
          this.#heartbeats.add(connection)
          resolve(connection)
        },
        onAck: (connection, ack) => handlers.onAck?.(connection, ack),
        onDelivery: (connection, bytes, at, length) => handlers.onDelivery?.(connection, bytes, at, length),
        onPong: (_, ms) => {
          heartbeats.answered++
          this.#awaitedPongs--
          this.record('heartbeat', ms * 1000)
        },
        onComplaint: what => count(complaints, what),
        onEnd: (connection, { wasConnected, reason, detail, isOurs }) => {
          this.#heartbeats.delete(connection)
          this.#open.delete(connection)
          if (connection.isPinged) this.#awaitedPongs--
          if (Object.hasOwn(fatal, reason)) {
            this.#fail(new LoadError(`MICS_LOAD_${reason}`, `${fatal[reason](url.host)} (${detail})`))
          }
          if (!isOurs) count(wasConnected ? connections.ended : connections.refused, endText(reason, detail))
          if (wasConnected) handlers.onEnd?.(connection, isOurs)
          else resolve(undefined)
          if (this.#open.size === 0) this.#onAllClosed()
        },
      }
      const login = { url, tenantId, userId, token, deviceId, localAddress, timeoutMs }
      this.#open.add(new LoadConnection(login, listener, dueMs))
    })
  }

  /** Closes every connection, and resolves when all are, or after `timeoutMs`. */
  async close (timeoutMs: number): Promise<void> {
    this.#isClosed = true
    this.stopHeartbeats()
    this.tally.heartbeats.unanswered = this.#awaitedPongs
    if (this.#open.size === 0) return
    await new Promise<void>(resolve => {
      const timer = setTimeout(() => {
        for (const connection of this.#open) connection.destroy()
        resolve()
      }, timeoutMs)
      this.#onAllClosed = () => {
        clearTimeout(timer)
        resolve()
      }
      for (const connection of this.#open) connection.close()
    })
  }
}

/** Close codes with the gateway's words, which say more: `4429 connection limit`. */
function endText (reason: string, detail: string): string {
  return /^\d{4}$/.test(reason) && detail !== '' ? `${reason} ${detail}` : reason
}
