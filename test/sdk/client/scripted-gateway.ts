import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import type { Test } from 'tap'
import { WebSocketServer, type WebSocket } from 'ws'
import { decodeClientFrame, encodeServerFrame, type MessageRequest, type ServerFrame } from '../../../sdk/client/src/frames.js'

const hi: MessageRequest = {
  tenantId: 't1',
  userId: 'bob',
  deviceId: 'b1',
  msgId: 'm1',
  msgType: 0,
  toUserId: 'alice',
  groupId: '',
  msgBody: Buffer.from('hi'),
  timestampMs: 1,
}

type Fields<T> = { [K in keyof T]?: T[K] }

/** One connection, as a gateway has it that does what a test says. */
export class Accepted {
  readonly messages: MessageRequest[] = []
  heartbeats = 0
  /** Resolves with the code it ended with. */
  readonly closed: Promise<number>
  private waiting: Array<() => void> = []

  constructor (readonly socket: WebSocket, readonly url: string, readonly protocols: string | undefined) {
    this.closed = once(socket, 'close').then(([code]) => code)
    socket.on('message', (data: Buffer) => {
      const frame = decodeClientFrame(data)
      if (frame?.case === 'message') this.messages.push(frame.value)
      if (frame?.case === 'heartbeatPing') this.heartbeats++
      for (const wake of this.waiting.splice(0)) wake()
    })
  }

  /** Resolves when `condition` holds, looked at after every frame. */
  async until (condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>(resolve => this.waiting.push(resolve))
  }

  /** Resolves when the client has sent so many messages on this connection. */
  async untilMessages (count: number): Promise<MessageRequest[]> {
    await this.until(() => this.messages.length >= count)
    return this.messages
  }

  send (frame: ServerFrame): void {
    this.socket.send(encodeServerFrame(frame))
  }

  letIn (userId = 'alice'): this {
    const value = { code: 1000, tenantId: 't1', userId, deviceId: 'd1', nodeId: 'n1', traceId: 'x' }
    this.send({ case: 'connectAck', value })
    return this
  }

  ack (msgId: string, status = 0, reason = ''): void {
    this.send({
      case: 'ack',
      value: {
        msgId,
        status,
        reason,
        timestampMs: 1,
        partialDelivery: false,
        offlineNotifiedUsers: 0,
        offlineBufferedUsers: 0,
        offlineSkippedUsers: 0,
      },
    })
  }

  deliver (message: Fields<MessageRequest>): void {
    this.send({ case: 'delivery', value: { message: { ...hi, ...message } } })
  }
}

/** A WebSocket server that a test plays the gateway with, for what a real one does rarely or never. */
export class ScriptedGateway {
  private readonly accepted: Accepted[] = []

  private constructor (private readonly server: WebSocketServer) {
    server.on('connection', (socket, { url = '', headers }) => {
      this.accepted.push(new Accepted(socket, url, headers['sec-websocket-protocol']))
    })
  }

  /** On a free port, closed when the test ends. */
  static async start (t: Test): Promise<ScriptedGateway> {
    const server = new WebSocketServer({ host: '127.0.0.1', port: 0 })
    await once(server, 'listening')
    t.teardown(() => {
      for (const socket of server.clients) socket.terminate()
      server.close()
    })
    return new ScriptedGateway(server)
  }

  get url (): string {
    return `ws://127.0.0.1:${(this.server.address() as AddressInfo).port}`
  }

  /** Connections that the test has not had yet. */
  get waiting (): number {
    return this.accepted.length
  }

  /** The next connection that the test has not had yet. */
  async next (): Promise<Accepted> {
    while (this.accepted.length === 0) await once(this.server, 'connection')
    return this.accepted.shift() as Accepted
  }

  /** The same, let in. */
  async letIn (): Promise<Accepted> {
    return (await this.next()).letIn()
  }
}
