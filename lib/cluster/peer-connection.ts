import { connect, type ClientHttp2Session, type ClientHttp2Stream, type OutgoingHttpHeaders } from 'node:http2'
import { Code, ConnectError } from '@connectrpc/connect'

/**
 * One HTTP/2 connection to a peer, from the attempt to open it to its end; found dead by PING frames. In the place of
 * Connect's Http2SessionManager, which opens new ones by itself, and whose `abort` takes the error listener off a
 * session that still has an error to emit.
 */
export class PeerConnection {
  readonly authority: string
  private readonly session: ClientHttp2Session
  private readonly connected: Promise<void>
  private silence?: NodeJS.Timeout
  private pingTimer?: NodeJS.Timeout

  /**
   * @param pingIntervalMs milliseconds of silence after which the peer is asked for a sign of life
   * @param pingTimeoutMs milliseconds for it to give one
   */
  constructor (endpoint: string, private readonly pingIntervalMs: number, private readonly pingTimeoutMs: number) {
    this.authority = new URL(endpoint).origin
    const session = this.session = connect(this.authority, { settings: { enablePush: false } })
    this.connected = new Promise((resolve, reject) => {
      session.once('connect', () => {
        this.silence = setTimeout(() => this.ping(), this.pingIntervalMs).unref()
        resolve()
      })
      // Listens for good: what goes wrong later, the stream says.
      session.on('error', reject)
      session.once('close', () => {
        this.stopTimers()
        reject(new ConnectError('the connection was closed', Code.Unavailable))
      })
    })
    this.connected.catch(() => {
      // Whoever makes a request hears of it.
    })
  }

  /** For Connect. */
  async request (
    method: string, path: string, headers: OutgoingHttpHeaders, options: object
  ): Promise<ClientHttp2Stream> {
    await this.connected
    return this.session.request({ ...headers, ':method': method, ':path': path }, options)
  }

  /** For Connect: bytes are a sign of life. */
  notifyResponseByteRead (): void {
    clearTimeout(this.pingTimer)
    this.silence?.refresh()
  }

  /** Cuts it off, with all that it still has to send. */
  close (): void {
    this.stopTimers()
    this.session.destroy()
  }

  private ping (): void {
    if (this.session.destroyed) return
    this.pingTimer = setTimeout(() => {
      this.session.destroy(new ConnectError('PING timed out', Code.Unavailable))
    }, this.pingTimeoutMs).unref()
    this.session.ping(error => {
      // An error comes with the end of the session.
      if (error === null) this.notifyResponseByteRead()
    })
  }

  private stopTimers (): void {
    clearTimeout(this.silence)
    clearTimeout(this.pingTimer)
  }
}
