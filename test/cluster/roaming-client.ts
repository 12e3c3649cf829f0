import { EventEmitter, once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { WebSocket } from 'ws'
import {
  AckStatus, ClientFrameSchema, MessageType, ServerFrameSchema, type MessageRequest,
} from '../../lib/gen/mics/message/v1/message_pb.js'

/** Close codes after which a client comes back; so it does after a connection that was lost. */
const RECONNECT = new Set([1001, 1005, 1006, 1011, 1012, 4100, 4101, 4200, 4429, 4503])

/** Reasons of FAILED acks that say nothing about the message: it is sent again. */
const RETRY = new Set(['delivery failed', 'internal error', 'group members unavailable'])

const RETRY_MS = 50

/** Milliseconds until it comes back; between this and twice this, at random. */
const RETURN_MS = 50

/** Milliseconds for the connect_ack, and for a pong or an ack: then the connection counts as dead. */
const SILENCE_MS = 8000

export interface Outgoing {
  msgId: string
  to: { user: string } | { group: string }
  body: string
}

export interface RoamingClientOptions {
  tenantId?: string
  deviceId?: string
  /** In place of RETURN_MS. */
  returnMs?: number
}

/**
 * A client as its author should write it: comes back, to another node, when its connection ends; sends again, in order
 * and under the same msg_id, what was not acked; gives up on nothing.
 */
export class RoamingClient {
  /** Every message received, repeats included. */
  readonly received: MessageRequest[] = []
  /** Messages acked SENT, in the order of their acks. */
  readonly sent: Outgoing[] = []
  /** When each was said first and when it was acked, milliseconds of `performance.now()`. */
  readonly times = new Map<string, { said: number, acked: number }>()
  /** Acks FAILED for good, with the reason. */
  readonly refused: Array<{ msgId: string, reason: string }> = []
  /** Reasons of FAILED acks after which it sent again. */
  readonly retried: Array<{ msgId: string, reason: string }> = []
  /** How each of its connections ended; attempts that came to none are not among them. */
  readonly ends: Array<{ code: number, reason: string }> = []
  /** How attempts ended that came to no connection. */
  readonly failures: Array<{ code: number, reason: string }> = []
  /** When it lost its network, milliseconds of `performance.now()`. */
  readonly drops: number[] = []
  /** From the end of one connection to the connect_ack of the next, milliseconds of `performance.now()`. */
  readonly absences: Array<{ from: number, to: number }> = []
  /** Where it is connected: the node's id. Undefined: nowhere. */
  nodeId?: string
  private unacked: Outgoing[] = []
  private ws?: WebSocket
  private isStopped = false
  private ended?: { code: number, reason: string }
  private lastFrameAt = performance.now()
  private absentSince = performance.now()
  private readonly events = new EventEmitter().setMaxListeners(0)

  /** @param urls where nodes are now, asked at every attempt: the client takes the next one each time */
  constructor (
    readonly user: string,
    private readonly urls: () => readonly string[],
    private attempt: number,
    private readonly options: RoamingClientOptions = {}
  ) {
    this.connect()
  }

  /** Resolves when it is connected; rejects where it was told not to come back. */
  async connected (): Promise<void> {
    await this.until(() => this.nodeId !== undefined)
  }

  /** Sends a message, now or when it is connected. Resolves when it is acked SENT, or refused for good. */
  async send (outgoing: Outgoing): Promise<void> {
    this.unacked.push(outgoing)
    this.times.set(outgoing.msgId, { said: performance.now(), acked: Infinity })
    this.transmit(outgoing)
    await this.until(() => !this.unacked.includes(outgoing))
  }

  async until (condition: () => boolean): Promise<void> {
    while (!condition()) {
      if (this.ended !== undefined) {
        throw new Error(`${this.user} was told not to come back: ${this.ended.code} ${this.ended.reason}`)
      }
      await once(this.events, 'change')
    }
  }

  /** Leaves its node for the next one, as if it had lost its network. */
  drop (): void {
    this.drops.push(performance.now())
    this.ws?.terminate()
  }

  stop (): void {
    this.isStopped = true
    this.ws?.terminate()
  }

  private connect (): void {
    const urls = this.urls()
    const url = urls[this.attempt++ % urls.length]
    const { tenantId = 't1', deviceId = 'd1' } = this.options
    const query = new URLSearchParams({ tenantId, deviceId, token: `valid:${this.user}` })
    const ws = new WebSocket(`${url.replace(/^http/, 'ws')}/ws?${query.toString()}`)
    this.ws = ws
    this.lastFrameAt = performance.now()
    const watch = setInterval(() => this.check(ws), SILENCE_MS / 8)
    ws.on('error', () => {})
    ws.on('message', (data: Buffer) => this.receive(fromBinary(ServerFrameSchema, data).payload))
    ws.on('close', (code, reason) => {
      clearInterval(watch)
      if (this.nodeId !== undefined) {
        this.ends.push({ code, reason: reason.toString() })
        this.absentSince = performance.now()
      } else {
        this.failures.push({ code, reason: reason.toString() })
      }
      this.nodeId = undefined
      if (!this.isStopped && RECONNECT.has(code)) {
        const { returnMs = RETURN_MS } = this.options
        delay(returnMs + Math.random() * returnMs).then(() => { if (!this.isStopped) this.connect() }, () => {})
      } else if (!this.isStopped) {
        this.ended = { code, reason: reason.toString() }
      }
      this.events.emit('change')
    })
  }

  /** A ping now and then; no frame for too long, and the connection is dead. */
  private check (ws: WebSocket): void {
    if (performance.now() - this.lastFrameAt > SILENCE_MS) ws.terminate()
    else if (ws.readyState === WebSocket.OPEN) this.write({ payload: { case: 'heartbeatPing', value: {} } })
  }

  private receive (payload: ReturnType<typeof fromBinary<typeof ServerFrameSchema>>['payload']): void {
    this.lastFrameAt = performance.now()
    if (payload.case === 'connectAck') {
      this.nodeId = payload.value.nodeId
      this.absences.push({ from: this.absentSince, to: performance.now() })
      for (const outgoing of this.unacked) this.transmit(outgoing)
    } else if (payload.case === 'delivery') {
      this.received.push(payload.value.message as MessageRequest)
    } else if (payload.case === 'ack') {
      this.acked(payload.value.msgId, payload.value.status, payload.value.reason)
    }
    this.events.emit('change')
  }

  private acked (msgId: string, status: AckStatus, reason: string): void {
    const outgoing = this.unacked.find(other => other.msgId === msgId)
    if (outgoing === undefined) return
    if (status === AckStatus.FAILED && RETRY.has(reason)) {
      this.retried.push({ msgId, reason })
      delay(RETRY_MS).then(() => this.transmit(outgoing), () => {})
      return
    }
    this.unacked = this.unacked.filter(other => other !== outgoing)
    if (status === AckStatus.FAILED) {
      this.refused.push({ msgId, reason })
    } else {
      this.sent.push(outgoing)
      this.times.set(msgId, { said: this.times.get(msgId)?.said ?? 0, acked: performance.now() })
    }
  }

  private transmit ({ msgId, to, body }: Outgoing): void {
    if (this.nodeId === undefined) return
    const address = 'user' in to
      ? { msgType: MessageType.SINGLE_CHAT, toUserId: to.user }
      : { msgType: MessageType.GROUP_CHAT, groupId: to.group }
    this.write({ payload: { case: 'message', value: { ...address, msgId, msgBody: Buffer.from(body) } } })
  }

  private write (frame: Parameters<typeof create<typeof ClientFrameSchema>>[1]): void {
    if (this.ws?.readyState !== WebSocket.OPEN) return
    this.ws.send(toBinary(ClientFrameSchema, create(ClientFrameSchema, frame)))
  }
}
