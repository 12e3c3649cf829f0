import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'

/** A TCP proxy that can lose its network: connections stay open, and nothing goes through any more. */
export class TcpProxy {
  private readonly sockets = new Set<Socket>()
  private isCut = false

  private constructor (private readonly server: Server, private readonly targetPort: () => number) {}

  /** On a free port of 127.0.0.1, towards another there; asked for at each connection. */
  static async start (targetPort: () => number): Promise<TcpProxy> {
    const server = createServer()
    const proxy = new TcpProxy(server, targetPort)
    server.on('connection', socket => proxy.relay(socket))
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return proxy
  }

  get port (): number {
    return (this.server.address() as AddressInfo).port
  }

  /** Like a cable pulled: nothing is closed, and nothing arrives. */
  cut (): void {
    this.isCut = true
    for (const socket of this.sockets) socket.pause()
  }

  /** What was sent meanwhile arrives, as TCP does it. */
  heal (): void {
    this.isCut = false
    for (const socket of this.sockets) socket.resume()
  }

  /** All connections end at once; what was on its way is lost. New ones go through. */
  sever (): void {
    for (const socket of this.sockets) socket.destroy()
  }

  async close (): Promise<void> {
    for (const socket of this.sockets) socket.destroy()
    this.server.close()
    await once(this.server, 'close')
  }

  private relay (inbound: Socket): void {
    const outbound = connect(this.targetPort(), '127.0.0.1')
    for (const [from, to] of [[inbound, outbound], [outbound, inbound]]) {
      this.sockets.add(from)
      if (this.isCut) from.pause()
      from.on('data', chunk => to.write(chunk))
      from.on('error', () => to.destroy())
      from.on('close', () => {
        this.sockets.delete(from)
        to.destroy()
      })
    }
  }
}
