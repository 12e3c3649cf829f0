import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

/** A TCP connection that says exactly what a test wants: half a request, an upgrade, a close frame that never comes. */
export class RawClient {
  /** Everything received so far. */
  received = Buffer.alloc(0)
  /** Resolves when the connection is over, from whichever side. */
  readonly closed: Promise<void>

  private constructor (readonly socket: Socket) {
    socket.on('error', () => {})
    socket.on('data', chunk => { this.received = Buffer.concat([this.received, chunk]) })
    this.closed = new Promise(resolve => { socket.on('close', () => resolve()) })
  }

  static async connect (url: string): Promise<RawClient> {
    const { hostname, port } = new URL(url)
    const client = new RawClient(connect(Number(port), hostname))
    await once(client.socket, 'connect')
    return client
  }

  write (data: string | Buffer): void {
    this.socket.write(data)
  }

  /** Resolves when `text` has been received. */
  async receive (text: string): Promise<void> {
    while (!this.received.includes(text)) await once(this.socket, 'data')
  }

  /** Ends the connection without a word. */
  async drop (): Promise<void> {
    this.socket.destroy()
    await this.closed
  }
}

/** The request of a WebSocket client. */
export function upgradeRequest (path: string, headers: Record<string, string> = {}): string {
  const all = {
    Host: 'gateway',
    Connection: 'Upgrade',
    Upgrade: 'websocket',
    'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
    ...headers,
  }
  return `GET ${path} HTTP/1.1\r\n${Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`
}

/** Where a client of this user and tenant t1 connects. */
export function wsPath (user: string, deviceId = 'd1', tenantId = 't1'): string {
  return `/ws?${new URLSearchParams({ tenantId, deviceId, token: `valid:${user}` }).toString()}`
}
