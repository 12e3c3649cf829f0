import type { Duplex } from 'node:stream'
import { WebSocket } from 'ws'
import { decodeClientFrame, HeartbeatPing } from '../protocol/client-frame.js'
import { CloseCode } from '../protocol/close-codes.js'
import { FRAME_OVERHEAD_BYTES } from '../protocol/limits.js'
import type { Message } from '../protocol/message.js'
import { frameOf } from '../protocol/server-frame.js'
import { FrameError } from '../protocol/server-errors.js'
import { connectAckFrame, deliveryFrame, errorFrame, pongFrame, withUnknownFields, ackFrame } from './frames.js'
import { Lane, type Outgoing } from './lane.js'
import type { MockGateway } from './mock-gateway.js'
import type { MockLog } from './mock-log.js'
import type { Action, ExtraFrame, MockEvent } from './scenario.js'
import type { Decision } from './rules.js'

/** Who connects. */
export interface Peer {
  tenantId: string
  userId: string
  deviceId: string
  token: string
  /** The connection's number in the life of the mock. */
  number: number
  /** Which one of the device it is. */
  connection: number
}

interface Answering extends Outgoing {
  what: string
  msgId?: string
  /** Of a delivery: what is kept where it could not be sent. */
  message?: Message
}

/** Frames that may wait for their turn. */
const MAX_WAITING = 10_000

/** Of a body in the log. */
const MAX_LOGGED_DIGITS = 4096

/** Bytes from a client that may wait for its connect_ack. */
const MAX_EARLY_BYTES = 64 * 1024

/** One WebSocket of one device. */
export class MockConnection {
  readonly #acks: Lane<Answering>
  readonly #deliveries: Lane<Answering>
  readonly #heartbeat: NodeJS.Timeout
  readonly #nth: Record<MockEvent, number> = { connect: 0, message: 0, ping: 0, delivery: 0 }
  readonly #log: MockLog
  #early: { data: Buffer, isBinary: boolean }[] | undefined = []
  #earlyBytes = 0
  #isSilent = false
  #isOver = false

  constructor (
    readonly peer: Peer, private readonly gateway: MockGateway, private readonly ws: WebSocket,
    private readonly socket: Duplex
  ) {
    this.#log = gateway.log
    this.#acks = new Lane(item => this.#send(item), gateway.random)
    this.#deliveries = new Lane(item => this.#send(item), gateway.random)
    this.#heartbeat = setTimeout(() => {
      if (!this.#isSilent) this.close(CloseCode.HEARTBEAT_TIMEOUT, 'heartbeat timeout')
    }, gateway.heartbeatTimeoutMs)
    ws.on('message', (data: Buffer, isBinary) => this.#received(data, isBinary))
    ws.on('close', (code, reason) => {
      this.log('closed', { code, reason: reason.toString() })
      this.#end()
    })
  }

  log (what: string, details: Record<string, unknown> = {}): void {
    const { number: connection, tenantId, userId, deviceId } = this.peer
    this.#log.add(what, { connection, tenantId, userId, deviceId, ...details })
  }

  /** Sends the connect_ack; what the client sent before is handled then. */
  admit (action: Action): void {
    const { tenantId, userId, deviceId, number } = this.peer
    const traceId = number.toString(16).padStart(32, '0')
    this.#answer(this.#acks, { what: 'connect_ack', bytes: connectAckFrame({ tenantId, userId, deviceId, traceId }), action, sequence: 'connect_ack' })
  }

  deliver (message: Message): void {
    const { userId: from, msgId, toUserId, groupId } = message
    const { action } = this.#decide('delivery', { msgId, from, toUserId, groupId })
    const sequence = JSON.stringify([from, message.deviceId])
    if (this.#insteadOf(action)) this.gateway.hold(this.peer, message)
    else this.#answer(this.#deliveries, { what: 'delivery', bytes: deliveryFrame(message), action, sequence, msgId, message })
  }

  /** Closes the WebSocket; nothing more is sent or heard. */
  close (code: number, reason = ''): void {
    if (this.#isOver) return
    this.log('close', { code, reason })
    this.ws.close(code, reason)
    this.#end()
  }

  /** Ends the TCP connection, after these bytes. */
  drop (bytes: Uint8Array = new Uint8Array()): void {
    if (this.#isOver) return
    this.log('drop')
    this.#end()
    this.socket.once('finish', () => this.socket.destroy())
    this.socket.end(bytes)
  }

  terminate (): void {
    this.#end()
    this.ws.terminate()
  }

  #received (data: Buffer, isBinary: boolean): void {
    if (this.#isOver || this.#isSilent) return
    this.#heartbeat.refresh()
    if (this.#early !== undefined) {
      this.#earlyBytes += data.length
      if (this.#earlyBytes > MAX_EARLY_BYTES) this.close(CloseCode.SLOW_CONSUMER, 'too much before connect_ack')
      else this.#early.push({ data, isBinary })
      return
    }
    if (data.length > this.gateway.maxMessageBytes + FRAME_OVERHEAD_BYTES) {
      this.log('not a frame', { bytes: data.length })
      return this.#fault(FrameError.FRAME_TOO_LARGE, 'the frame is larger than allowed')
    }
    const frame = isBinary ? decodeClientFrame(data) : null
    if (frame === null) {
      this.log('not a frame', isBinary
        ? { hex: data.toString('hex').slice(0, MAX_LOGGED_DIGITS) }
        : { text: data.toString().slice(0, MAX_LOGGED_DIGITS) })
      return this.#fault(FrameError.NOT_A_CLIENT_FRAME, 'not a ClientFrame')
    }
    if (frame instanceof HeartbeatPing) this.#pinged(frame)
    else this.#sent(frame)
  }

  #pinged ({ timestampMs }: HeartbeatPing): void {
    const { action, rule } = this.#decide('ping')
    this.log('ping', { timestampMs: String(timestampMs), rule })
    if (!this.#insteadOf(action)) this.#answer(this.#acks, { what: 'pong', bytes: pongFrame(), action, sequence: 'pong' })
  }

  #sent (message: Message): void {
    const { tenantId, userId, deviceId } = this.peer
    Object.assign(message, { tenantId, userId, deviceId })
    const { msgId, msgType, toUserId, groupId } = message
    const { action, rule } = this.#decide('message', { msgId, toUserId, groupId, from: userId })
    this.log('message', {
      msgId,
      msgType,
      toUserId,
      groupId,
      timestampMs: String(message.timestampMs),
      bodyHex: Buffer.from(message.msgBody).toString('hex').slice(0, MAX_LOGGED_DIGITS),
      rule,
    })
    if (this.#insteadOf(action)) return
    if (action.error !== undefined) return this.#fault(action.error.code, action.error.message)
    const outcome = action.fail === undefined
      ? this.gateway.process(this, message)
      : { status: 1, reason: action.fail.reason }
    if (action.drop === 'processed') return this.drop()
    const sequence = JSON.stringify([toUserId, groupId])
    // The gateway may have given it a msg_id.
    this.#answer(this.#acks, { what: 'ack', bytes: ackFrame(message.msgId, outcome), action, sequence, msgId: message.msgId })
  }

  #fault (code: number, message = ''): void {
    this.#answer(this.#acks, { what: 'error', bytes: errorFrame(code, message), action: {}, sequence: 'error' })
  }

  #decide (
    event: MockEvent, facts: { msgId?: string, from?: string, toUserId?: string, groupId?: string } = {}
  ): Decision {
    return this.gateway.rules.decide({ ...this.peer, ...facts, event, nth: ++this.#nth[event] })
  }

  /** What an action does instead of anything else. True: it was that. */
  #insteadOf ({ drop, silent, drain, close }: Action): boolean {
    if (drop === 'before') this.drop()
    else if (silent === true) this.#silence()
    else if (drain === true) this.gateway.drain()
    else if (close !== undefined && close.after !== true) this.close(close.code, close.reason)
    else return false
    return true
  }

  #silence (): void {
    this.log('silent')
    this.#isSilent = true
  }

  #answer (lane: Lane<Answering>, item: Answering): void {
    if (item.action.answer === 'never') {
      this.log('no answer', { to: item.what, msgId: item.msgId })
      if (item.message !== undefined) this.gateway.hold(this.peer, item.message)
      return
    }
    if (lane.length >= MAX_WAITING) {
      if (item.message !== undefined) this.gateway.hold(this.peer, item.message)
      return this.close(CloseCode.SLOW_CONSUMER, 'slow consumer')
    }
    lane.push(item)
  }

  #send (item: Answering): void {
    const { what, msgId, message, action: { answer, before = [], after = [], drop, close } } = item
    if (this.#isOver || this.#isSilent) {
      if (message !== undefined) this.gateway.hold(this.peer, message)
      return
    }
    const { copies = 1, unknownFields = false } = typeof answer === 'object' ? answer : {}
    const bytes = unknownFields ? withUnknownFields(item.bytes) : item.bytes
    for (const frame of before) this.#extra(frame)
    if (drop === 'half') {
      this.log(what, { msgId, isHalf: true })
      // The gateway cannot know what of it arrived, and delivers it again.
      if (message !== undefined) this.gateway.hold(this.peer, message)
      const frame = frameOf(bytes)
      return this.drop(frame.subarray(0, Math.ceil(frame.length / 2)))
    }
    for (let copy = 1; copy <= copies; copy++) {
      this.log(what, { msgId, ...(copy > 1 ? { copy } : {}) })
      this.ws.send(bytes)
    }
    for (const frame of after) this.#extra(frame)
    if (drop === 'after') {
      if (message !== undefined) this.gateway.hold(this.peer, message)
      this.drop()
    } else if (close?.after === true) {
      this.close(close.code, close.reason)
    }
    if (what === 'connect_ack') this.#admitted()
  }

  #admitted (): void {
    const early = this.#early ?? []
    this.#early = undefined
    if (this.#isOver) return
    this.gateway.joined(this)
    for (const { data, isBinary } of early) this.#received(data, isBinary)
  }

  #extra (frame: ExtraFrame): void {
    this.log('extra frame', frame)
    if ('text' in frame) this.ws.send(frame.text)
    else if ('hex' in frame) this.ws.send(Buffer.from(frame.hex, 'hex'))
    else this.ws.send(errorFrame(frame.error.code, frame.error.message ?? ''))
  }

  #end (): void {
    if (this.#isOver) return
    this.#isOver = true
    clearTimeout(this.#heartbeat)
    this.#acks.stop()
    const unsent = this.#deliveries.stop().flatMap(({ message }) => message ?? [])
    this.gateway.left(this, unsent)
  }
}
