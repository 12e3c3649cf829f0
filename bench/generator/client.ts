import { Kind, type Dialect } from './dialect.js'
import { RawSocket, type RawSocketOptions } from './raw-socket.js'

/** What the clients of one crowd have seen. */
export interface Counts {
  acks: number
  /** Acks that say FAILED. */
  failed: number
  deliveries: number
  /** Connections that ended although nobody here ended them. */
  lost: number
}

/** One connection. */
export class Client {
  /** Acks that came with one read, FAILED or not. */
  onAcks?: (count: number) => void
  private acks = 0
  private isReady = false
  private isClosed = false
  private readonly socket: RawSocket

  private constructor (
    readonly user: string,
    readonly dialect: Dialect,
    counts: Counts,
    options: RawSocketOptions,
    connected: (problem?: Error) => void
  ) {
    const socket = new RawSocket(options)
    this.socket = socket
    socket.onFrame = (bytes, start, end) => {
      switch (dialect.kindOf(bytes, start, end)) {
        case Kind.DELIVERY:
          counts.deliveries++
          break
        case Kind.FAILED:
          counts.failed++
          this.acks++
          break
        case Kind.ACK:
          this.acks++
          break
        case Kind.PING:
          socket.write(dialect.pong)
          break
        case Kind.HELLO:
          socket.write(dialect.greeting(user))
          break
        case Kind.READY:
          this.isReady = true
          connected()
          break
        case Kind.REFUSED:
          connected(new Error(`${user} was refused: ${bytes.toString('utf8', start, end)}`))
      }
    }
    socket.onReadEnd = () => {
      const { acks } = this
      if (acks === 0) return
      this.acks = 0
      counts.acks += acks
      this.onAcks?.(acks)
    }
    socket.onClose = why => {
      if (this.isClosed) return
      if (this.isReady) counts.lost++
      else connected(new Error(`${user} could not connect: ${why}`))
    }
  }

  /** Resolves when it is let in. */
  static async connect (user: string, dialect: Dialect, counts: Counts, options: Omit<RawSocketOptions, 'path'>): Promise<Client> {
    return await new Promise((resolve, reject) => {
      const client = new Client(user, dialect, counts, { ...options, path: dialect.path(user) }, problem => {
        if (problem === undefined) return resolve(client)
        client.close()
        reject(problem)
      })
    })
  }

  write (frames: Buffer): void {
    this.socket.write(frames)
  }

  close (): void {
    this.isClosed = true
    this.socket.destroy()
  }
}
