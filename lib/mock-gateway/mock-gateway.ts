import { randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { WebSocketServer } from 'ws'
import { AckStatus, MessageType } from '../gen/mics/message/v1/message_pb.js'
import { CloseCode } from '../protocol/close-codes.js'
import { FRAME_OVERHEAD_BYTES, MAX_RECEIVED_FRAME_FACTOR } from '../protocol/limits.js'
import type { Message } from '../protocol/message.js'
import { AckReason } from '../protocol/server-errors.js'
import { connectParams, SUBPROTOCOL } from '../session/connect-params.js'
import type { Outcome } from './frames.js'
import { HeldMessages } from './held-messages.js'
import { MockConnection, type Peer } from './mock-connection.js'
import { MockLog, type LogEntry } from './mock-log.js'
import { seededRandom } from './random.js'
import { refuseUpgrade } from './refuse-upgrade.js'
import { Rules } from './rules.js'
import { unfold, type Scenario, type ScriptedMessages } from './scenario.js'
import { SentMessages } from './sent-messages.js'

const DEFAULT_HEARTBEAT_MS = 30_000
const DEFAULT_MESSAGE_BYTES = 1024 * 1024

/** Devices whose connections are counted, and connections that are open at once. */
const MAX_DEVICES = 100_000
const MAX_CONNECTIONS = 10_000

/** Tenant of scripted messages that name none. */
export const DEFAULT_TENANT = 'demo'

/** Which connections are meant; what is left out is any. */
export interface ConnectionFilter {
  tenantId?: string
  userId?: string
  deviceId?: string
  connection?: number
}

/**
 * A gateway for tests of clients: as docs/protocol.md says for one that is friendly, and otherwise what the scenario
 * says. It knows one world of users, and nothing of hooks, events or other nodes.
 */
export class MockGateway {
  /** A new one with each scenario. */
  log!: MockLog
  rules!: Rules
  #scenario: Scenario = {}
  #random = Math.random
  readonly #wss = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    maxPayload: (16 * 1024 * 1024 + FRAME_OVERHEAD_BYTES) * MAX_RECEIVED_FRAME_FACTOR,
    handleProtocols: protocols => protocols.has(SUBPROTOCOL) ? SUBPROTOCOL : false,
  })

  readonly #connections = new Map<string, MockConnection>()
  /** Open, and not admitted: they hang. */
  readonly #hanging = new Set<Duplex>()
  #counts = new Map<string, number>()
  #held = new HeldMessages()
  #sent = new SentMessages()
  #number = 0

  /**
   * @param seed instead of the scenario's
   * @param onEntry hears of each entry of the log
   */
  constructor (
    scenario: Scenario, private readonly seed?: number, private readonly onEntry?: (entry: LogEntry) => void
  ) {
    this.load(scenario)
  }

  get heartbeatTimeoutMs (): number {
    return this.#scenario.heartbeatTimeoutMs ?? DEFAULT_HEARTBEAT_MS
  }

  get maxMessageBytes (): number {
    return this.#scenario.maxMessageBytes ?? DEFAULT_MESSAGE_BYTES
  }

  /** From 0 to 1, as the seed says. */
  get random (): () => number {
    return this.#random
  }

  get connections (): Peer[] {
    return [...this.#connections.values()].map(({ peer }) => peer)
  }

  /** Begins anew with this scenario: connections end without a word, and all that was known is forgotten. */
  load (scenario: Scenario): void {
    this.close()
    this.#scenario = scenario
    this.#random = seededRandom(this.seed ?? scenario.seed ?? 1)
    this.rules = new Rules(scenario.rules ?? [], this.#random)
    this.#counts = new Map()
    this.#held = new HeldMessages()
    this.#sent = new SentMessages()
    this.#number = 0
    this.log = new MockLog(this.onEntry)
    for (const message of (scenario.held ?? []).flatMap(unfold)) this.#fanOut(toMessage(message))
  }

  /** Takes the upgrade of a client. */
  accept (request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const url = new URL(request.url ?? '/', 'ws://mock')
    const query = Object.fromEntries(url.searchParams)
    const { tenantId, deviceId, token } = connectParams(query, request.headers['sec-websocket-protocol'])
    const userId = this.#userOf(token)
    const connection = this.#count(tenantId, userId, deviceId)
    const peer = { tenantId, userId, deviceId, token, number: ++this.#number, connection }
    const { action, rule } = this.rules.decide({ ...peer, event: 'connect', nth: connection })
    this.log.add('connect', {
      connection: peer.number, tenantId, userId, deviceId, token, ofDevice: connection, url: request.url, rule,
    })
    socket.on('error', () => {}) // A client that has gone; its connection's close says so.
    if (this.#wss.clients.size + this.#hanging.size >= MAX_CONNECTIONS) return refuseUpgrade(socket, 503, 1)
    if (action.refuse !== undefined) return refuseUpgrade(socket, action.refuse.status, action.refuse.retryAfterSeconds)
    if (action.hang === 'upgrade') return this.#keep(socket)
    if (action.drop === 'before') {
      socket.destroy()
      return
    }
    this.#wss.handleUpgrade(request, socket, head, ws => {
      ws.on('error', () => {}) // ws closes a connection that breaks the protocol; the close is in the log.
      if (tenantId === '') return ws.close(CloseCode.UNKNOWN_TENANT, 'tenantId is missing')
      if (token === '' || deviceId === '') return ws.close(CloseCode.AUTH_FAILED, 'token or deviceId is missing')
      if (action.hang === 'connect_ack' || action.silent === true) return this.#keep(socket)
      if (action.drain === true) {
        this.drain()
        return ws.close(CloseCode.DRAINING, 'this node is shutting down')
      }
      if (action.close !== undefined && action.close.after !== true) {
        this.log.add('close', { connection: peer.number, tenantId, userId, deviceId, ...action.close })
        return ws.close(action.close.code, action.close.reason)
      }
      new MockConnection(peer, this, ws, socket).admit(action)
    })
  }

  /** A connection got its connect_ack: it takes the device's place, and gets what is held. */
  joined (connection: MockConnection): void {
    const { tenantId, userId, deviceId } = connection.peer
    const key = deviceKey(connection.peer)
    const older = this.#connections.get(key)
    this.#connections.set(key, connection)
    older?.close(CloseCode.REPLACED, 'replaced by a newer connection of this device')
    for (const message of this.#held.take(userKey(tenantId, userId), deviceId)) connection.deliver(message)
  }

  /** A connection has ended. */
  left (connection: MockConnection, unsent: Message[]): void {
    const key = deviceKey(connection.peer)
    if (this.#connections.get(key) === connection) this.#connections.delete(key)
    for (const message of unsent) this.hold(connection.peer, message)
  }

  /** Keeps what a connection did not get, for the next one: the device's, where the user has others. */
  hold ({ tenantId, userId, deviceId }: Peer, message: Message): void {
    const hasOthers = this.#devices(tenantId, userId).some(({ peer }) => peer.deviceId !== deviceId)
    this.#held.add(userKey(tenantId, userId), message, hasOthers ? deviceId : undefined)
  }

  /** What a client sent: checks it and delivers it, as the gateway does. */
  process (connection: MockConnection, message: Message): Outcome {
    if (message.msgId === '') message.msgId = randomUUID()
    if (message.timestampMs === 0n) message.timestampMs = BigInt(Date.now())
    const problem = this.#problemOf(message)
    if (problem !== undefined) return { status: AckStatus.FAILED, reason: problem }
    switch (this.#sent.add(message)) {
      case 'duplicate':
        return { status: AckStatus.SENT, reason: AckReason.DUPLICATE }
      case 'conflict':
        return { status: AckStatus.FAILED, reason: AckReason.MSG_ID_CONFLICT }
    }
    const { delivered, held } = this.#fanOut(message, connection)
    if (delivered + held === 0) {
      this.#sent.forget(message)
      return { status: AckStatus.FAILED, reason: AckReason.DELIVERY_FAILED }
    }
    connection.log('processed', { msgId: message.msgId, delivered, held })
    return { status: AckStatus.SENT, reason: '', bufferedUsers: held }
  }

  /** Delivers messages as if somebody had sent them; what finds nobody is held. */
  deliver (scripted: ScriptedMessages): { delivered: number, held: number } {
    const sum = { delivered: 0, held: 0 }
    for (const message of unfold(scripted)) {
      const { delivered, held } = this.#fanOut(toMessage(message))
      sum.delivered += delivered
      sum.held += held
    }
    return sum
  }

  /** Closes connections with a code, or without a close frame where there is none. Returns how many. */
  disconnect (filter: ConnectionFilter, code?: number, reason?: string): number {
    const wanted = [...this.#connections.values()].filter(({ peer }) => fits(peer, filter))
    for (const connection of wanted) {
      if (code === undefined) connection.drop()
      else connection.close(code, reason)
    }
    return wanted.length
  }

  /** As a node that is told to stop; unlike it, this one takes clients again at once. */
  drain (): void {
    this.disconnect({}, CloseCode.DRAINING, 'this node is shutting down')
  }

  /** Ends all connections without a word. */
  close (): void {
    for (const connection of this.#connections.values()) connection.terminate()
    for (const socket of this.#hanging) socket.destroy()
    for (const ws of this.#wss.clients) ws.terminate()
  }

  #problemOf (message: Message): Outcome['reason'] | undefined {
    const { msgType, toUserId, groupId, msgBody } = message
    if (msgType !== MessageType.SINGLE_CHAT && msgType !== MessageType.GROUP_CHAT) return AckReason.INVALID_MSG_TYPE
    if (msgType === MessageType.SINGLE_CHAT && toUserId === '') return AckReason.MISSING_TO_USER_ID
    if (msgType === MessageType.GROUP_CHAT && groupId === '') return AckReason.MISSING_GROUP_ID
    if (msgBody.length > this.maxMessageBytes) return AckReason.BODY_TOO_LARGE
    if (msgType === MessageType.GROUP_CHAT && this.#recipients(message).length === 0) return AckReason.MEMBERS_EMPTY
    return undefined
  }

  #recipients ({ msgType, toUserId, groupId, userId }: Message): string[] {
    if (msgType !== MessageType.GROUP_CHAT) return [toUserId]
    return [...new Set(this.#scenario.groups?.[groupId] ?? [])].filter(member => member !== userId)
  }

  /** Users who were handed it, and users for whom it is held. */
  #fanOut (message: Message, from?: MockConnection): { delivered: number, held: number } {
    let delivered = 0
    let held = 0
    const recipients = this.#recipients(message)
    for (const userId of recipients) {
      const devices = this.#devices(message.tenantId, userId, from)
      if (devices.length > 0) delivered++
      else if (this.#held.add(userKey(message.tenantId, userId), message)) held++
      for (const device of devices) device.deliver(message)
    }
    if (!recipients.includes(message.userId)) {
      for (const device of this.#devices(message.tenantId, message.userId, from)) device.deliver(message)
    }
    return { delivered, held }
  }

  #devices (tenantId: string, userId: string, except?: MockConnection): MockConnection[] {
    return [...this.#connections.values()]
      .filter(connection => connection !== except && fits(connection.peer, { tenantId, userId }))
  }

  #userOf (token: string): string {
    const { tokens = {} } = this.#scenario
    if (Object.hasOwn(tokens, token)) return tokens[token]
    return token.startsWith('valid:') ? token.slice('valid:'.length) : token
  }

  #count (tenantId: string, userId: string, deviceId: string): number {
    const key = deviceKey({ tenantId, userId, deviceId })
    const count = (this.#counts.get(key) ?? 0) + 1
    if (count > 1 || this.#counts.size < MAX_DEVICES) this.#counts.set(key, count)
    return count
  }

  #keep (socket: Duplex): void {
    this.#hanging.add(socket)
    socket.once('close', () => this.#hanging.delete(socket))
  }
}

function toMessage ({ tenantId = DEFAULT_TENANT, from = '', fromDevice = 'device', toUserId = '', groupId = '', msgId, body = '' }: ScriptedMessages): Message {
  return {
    tenantId,
    userId: from,
    deviceId: fromDevice,
    msgId,
    msgType: groupId === '' ? MessageType.SINGLE_CHAT : MessageType.GROUP_CHAT,
    toUserId,
    groupId,
    msgBody: Buffer.from(body),
    timestampMs: BigInt(Date.now()),
  }
}

function fits (peer: Peer, { tenantId, userId, deviceId, connection }: ConnectionFilter): boolean {
  return (tenantId === undefined || tenantId === peer.tenantId) &&
    (userId === undefined || userId === peer.userId) &&
    (deviceId === undefined || deviceId === peer.deviceId) &&
    (connection === undefined || connection === peer.number)
}

function userKey (tenantId: string, userId: string): string {
  return JSON.stringify([tenantId, userId])
}

function deviceKey ({ tenantId, userId, deviceId }: Pick<Peer, 'tenantId' | 'userId' | 'deviceId'>): string {
  return JSON.stringify([tenantId, userId, deviceId])
}
