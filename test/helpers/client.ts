import { EventEmitter, once } from 'node:events'
import { create, fromBinary, toBinary, type MessageInitShape } from '@bufbuild/protobuf'
import { WebSocket } from 'ws'
import {
  AckStatus, ClientFrameSchema, MessageRequestSchema, MessageType, ServerFrameSchema,
  type ConnectAck, type MessageAck, type MessageRequest, type ServerError, type ServerFrame,
} from '../../lib/gen/mics/message/v1/message_pb.js'

export { AckStatus, MessageType }

export interface ClientOptions {
  tenantId?: string
  token?: string
  deviceId?: string
  /** Send the token as a subprotocol instead of in the query. */
  asSubprotocol?: boolean
}

export interface Closed {
  code: number
  reason: string
}

/** A client as others would write it: ws and protobuf-es, nothing of the gateway's own. */
export class TestClient {
  /** Every frame received, in order. */
  readonly frames: ServerFrame[] = []
  /** Resolves with how the connection ended. */
  readonly closed: Promise<Closed>
  readonly ws: WebSocket
  private readonly events = new EventEmitter().setMaxListeners(0)
  private sent = 0

  private constructor (url: string, { tenantId = 't1', token = 'valid:alice', deviceId = 'd1', asSubprotocol = false }: ClientOptions) {
    const query = new URLSearchParams({ tenantId, deviceId, ...(asSubprotocol ? {} : { token }) })
    const protocols = asSubprotocol ? ['mics.v1', `mics.token.${Buffer.from(token).toString('base64url')}`] : []
    this.ws = new WebSocket(`${url.replace(/^http/, 'ws')}/ws?${query.toString()}`, protocols)
    this.ws.on('error', () => {})
    this.ws.on('message', (data: Buffer) => {
      this.frames.push(fromBinary(ServerFrameSchema, data))
      this.events.emit('change')
    })
    this.closed = new Promise(resolve => {
      this.ws.on('close', (code, reason) => {
        resolve({ code, reason: reason.toString() })
        this.events.emit('change')
      })
    })
  }

  /** Opens a connection and does not wait for anything. */
  static open (url: string, options: ClientOptions = {}): TestClient {
    return new TestClient(url, options)
  }

  /** Connects as `user`; resolves when the connect_ack is there, rejects when the connection is refused. */
  static async connect (url: string, user: string, options: ClientOptions = {}): Promise<TestClient> {
    const client = new TestClient(url, { token: `valid:${user}`, ...options })
    await client.connectAck()
    return client
  }

  async connectAck (): Promise<ConnectAck> {
    const frame = await this.frame(({ payload }) => payload.case === 'connectAck')
    return frame.payload.value as ConnectAck
  }

  /** The first frame, received or still to come, that satisfies `wanted`. */
  async frame (wanted: (frame: ServerFrame) => boolean): Promise<ServerFrame> {
    await this.until(() => this.frames.some(wanted))
    return this.frames.find(wanted) as ServerFrame
  }

  /** Resolves when `condition` holds, looked at after every frame; rejects when the connection ends before. */
  async until (condition: () => boolean): Promise<void> {
    while (!condition()) {
      if (this.ws.readyState === WebSocket.CLOSED) {
        const { code, reason } = await this.closed
        throw new Error(`the connection closed first: ${code} ${reason}`)
      }
      await once(this.events, 'change')
    }
  }

  /** Sends a message; fields not given are a single chat's to `bob`. Returns its id. */
  send (fields: MessageInitShape<typeof MessageRequestSchema>): string {
    const msgId = fields.msgId ?? `m${++this.sent}`
    this.sendFrame({ payload: { case: 'message', value: { msgType: MessageType.SINGLE_CHAT, ...fields, msgId } } })
    return msgId
  }

  /** Sends a message and resolves with its ack: the first one for this id that comes after this call. */
  async sendAndAck (fields: MessageInitShape<typeof MessageRequestSchema>): Promise<MessageAck> {
    const before = this.acks.length
    const msgId = this.send(fields)
    await this.until(() => this.acks.slice(before).some(ack => ack.msgId === msgId))
    return this.acks.slice(before).find(ack => ack.msgId === msgId) as MessageAck
  }

  sendFrame (frame: MessageInitShape<typeof ClientFrameSchema>): void {
    this.ws.send(toBinary(ClientFrameSchema, create(ClientFrameSchema, frame)))
  }

  sendRaw (data: Buffer | string): void {
    this.ws.send(data)
  }

  /** Resolves with the acks once there are at least `count`. */
  async waitAcks (count: number): Promise<MessageAck[]> {
    await this.until(() => this.acks.length >= count)
    return this.acks
  }

  /** Resolves with the messages received once there are at least `count`. */
  async waitMessages (count: number): Promise<MessageRequest[]> {
    await this.until(() => this.messages.length >= count)
    return this.messages
  }

  /** Resolves with the errors once there are at least `count`. */
  async waitErrors (count: number): Promise<ServerError[]> {
    await this.until(() => this.errors.length >= count)
    return this.errors
  }

  get acks (): MessageAck[] {
    return this.payloads('ack')
  }

  /** Messages delivered to this client. */
  get messages (): MessageRequest[] {
    return this.payloads<{ message: MessageRequest }>('delivery').map(({ message }) => message)
  }

  get errors (): ServerError[] {
    return this.payloads('error')
  }

  /**
   * Resolves when the gateway has handled everything this client sent so far, and everything it had for this client
   * at that time is here. The way to say "and nothing more came".
   */
  async roundTrip (): Promise<void> {
    const pongs = (): number => this.payloads('heartbeatPong').length
    const before = pongs()
    this.sendFrame({ payload: { case: 'heartbeatPing', value: {} } })
    await this.until(() => pongs() > before)
  }

  async close (): Promise<void> {
    this.ws.close(1000)
    await this.closed
  }

  /** Ends the connection without a word, as a lost network does. */
  async drop (): Promise<void> {
    this.ws.terminate()
    await this.closed
  }

  private payloads<T> (kind: string): T[] {
    return this.frames.filter(({ payload }) => payload.case === kind).map(({ payload }) => payload.value as T)
  }
}

/** The text of a message's body. */
export function text (message: { msgBody: Uint8Array }): string {
  return Buffer.from(message.msgBody).toString()
}

export function body (text: string): Uint8Array {
  return Buffer.from(text)
}
