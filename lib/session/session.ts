import type { Socket } from 'node:net'
import { create } from '@bufbuild/protobuf'
import type { FastifyBaseLogger } from 'fastify'
import { WebSocket } from 'ws'
import type { TenantSettings } from '../config/gateway-config.js'
import type { Connections } from '../connections/connections.js'
import type { FlushQueue } from '../connections/flush-queue.js'
import { Outbound, type OutboundOwner } from '../connections/outbound.js'
import { ConnectAckSchema, ServerFrameSchema, type ConnectAck } from '../gen/mics/message/v1/message_pb.js'
import type { TenantRuntimeConfig } from '../gen/mics/hook/v1/hook_pb.js'
import type { Heartbeats, Watched } from '../heartbeat/heartbeats.js'
import { noteDevice, noteWritten } from '../message-trace/note.js'
import type { TenantMetrics } from '../metrics/tenant-metrics.js'
import type { GatewayEvents } from '../mq/gateway-events.js'
import type { OfflineBuffer } from '../offline/offline-buffer.js'
import type { OfflineEntry } from '../offline/offline-entry.js'
import type { Place, Presence } from '../presence/presence.js'
import { decodeClientFrame, HeartbeatPing } from '../protocol/client-frame.js'
import { CloseCode, closeReason } from '../protocol/close-codes.js'
import { FrameError } from '../protocol/server-errors.js'
import { encodeAck, encodePong, encodeServerFrame, type Ack } from '../protocol/server-frame.js'
import type { Delivery } from '../routing/delivery.js'
import type { Tenant } from '../tenants/tenant.js'
import type { Tenants } from '../tenants/tenants.js'
import type { ConnectionTrace } from '../tracing/connection-trace.js'
import { deliveryOf, DeviceCopy, isLive, type Cargo } from './cargo.js'
import { ConversationTurns } from './conversation-turns.js'
import type { MessagePipeline } from './message-pipeline.js'
import type { OfflinePullDeps } from './offline-pull.js'
import { Replay } from './replay.js'

/** What a session needs of the node it lives on. */
export interface SessionDeps extends OfflinePullDeps {
  log: FastifyBaseLogger
  nodeId: string
  maxInflight: number
  maxBufferedBytes: number
  tenants: Tenants
  connections: Connections
  heartbeats: Heartbeats
  flushQueue: FlushQueue
  offline: OfflineBuffer
  presence: Pick<Presence, 'leave'>
  events: Pick<GatewayEvents, 'connectOnline' | 'connectOffline'>
  pipeline: MessagePipeline
  now: () => number
}

/** Who connected, as the auth hook said. */
export interface SessionIdentity {
  tenant: Tenant
  runtime: TenantRuntimeConfig | undefined
  userId: string
  deviceId: string
  traceId: string
  /** Where the connection is traced. */
  trace?: ConnectionTrace
  /** When the handshake began, as a position in the node's order of handshakes. */
  begun: number
  /** Its place in the cluster; given back when it ends. */
  place: Place
  metrics: TenantMetrics
}

/** Bytes since the last look that show a frame on its way: more than WebSocket's own pings and pongs make up. */
const MIN_PROGRESS_BYTES = 1024

/** Codes that a client or WebSocket itself may end a connection with; any other is counted as `other`. */
const COUNTED_CODES = new Set<number>([1000, 1001, 1002, 1005, 1006, 1007, 1009, 1011, ...Object.values(CloseCode)])

/**
 * One connected client, from the connect_ack to the end of its socket: takes frames in, within its limits; puts frames
 * out, within its buffer; saves what was not written when it ends.
 */
export class Session implements OutboundOwner<Cargo> {
  readonly tenantId: string
  readonly userId: string
  readonly deviceId: string
  readonly traceId: string
  readonly trace: ConnectionTrace | undefined
  readonly begun: number
  readonly place: Place
  readonly metrics: TenantMetrics
  /** When the last frame came, Unix milliseconds. */
  private lastFrameAt: number
  /** What had arrived when `silentMs` was last asked for. */
  private bytesReadBefore: number

  private conversations: ConversationTurns | undefined
  private readonly outbound: Outbound<Cargo>
  private watched?: Watched
  private tenant: Tenant
  private readonly runtime: TenantRuntimeConfig | undefined
  private resolved: TenantSettings

  private closed = false
  private inflight = 0
  private handledThisTurn = 0
  /** Frames that wait for room in the pipeline. Bounded: reading from the socket is paused while there are any. */
  private backlog: Array<Buffer | FrameError> = []
  private finishing = false
  private scheduled = false
  private readonly replay: Replay
  /** How the client broke the WebSocket protocol, or what the network did. */
  private socketError?: string
  private onIdle?: () => void

  constructor (
    private readonly deps: SessionDeps,
    private readonly ws: WebSocket,
    private readonly socket: Socket,
    identity: SessionIdentity
  ) {
    this.tenantId = identity.tenant.id
    this.userId = identity.userId
    this.deviceId = identity.deviceId
    this.traceId = identity.traceId
    this.trace = identity.trace
    this.begun = identity.begun
    this.place = identity.place
    this.metrics = identity.metrics
    this.tenant = identity.tenant
    this.runtime = identity.runtime
    this.resolved = identity.tenant.settingsFor(identity.runtime)
    this.lastFrameAt = deps.now()
    this.bytesReadBefore = socket.bytesRead
    this.outbound = new Outbound(socket, deps.maxBufferedBytes, deps.flushQueue, this)
    this.replay = new Replay(deps, this, this.outbound)
  }

  get isClosed (): boolean {
    return this.closed
  }

  /** Made by the first message: most connections only listen. */
  get turns (): ConversationTurns {
    this.conversations ??= new ConversationTurns()
    return this.conversations
  }

  /** The settings in force: the auth hook's, within the tenant's configuration as it is now. */
  get settings (): TenantSettings {
    const tenant = this.deps.tenants.get(this.tenantId)
    if (tenant !== undefined && tenant !== this.tenant) {
      this.tenant = tenant
      this.resolved = tenant.settingsFor(this.runtime)
    }
    return this.resolved
  }

  get heartbeatWindowMs (): number {
    return this.settings.heartbeatTimeoutSeconds * 1000
  }

  /** Takes the place of the device's former connection, says connect_ack, then what waited offline. */
  start (): void {
    const { connections, heartbeats, events } = this.deps
    const { tenantId, userId, deviceId } = this
    const former = connections.ofDevice(tenantId, userId, deviceId)
    connections.add(this)
    this.metrics.connections++
    this.metrics.connectionsOpened++
    this.watched = heartbeats.watch(this)
    this.ws.on('error', (error: NodeJS.ErrnoException) => { this.socketError = error.code ?? error.message })
    this.ws.on('close', (code: number) => this.onSocketClosed(code))
    const connectAck = this.connectAck()
    this.outbound.send(encodeServerFrame(create(ServerFrameSchema, { payload: { case: 'connectAck', value: connectAck } })))
    former?.close(CloseCode.REPLACED, 'replaced by a newer connection of this device')
    // After the former connection's end: whoever counts ends up with one device online.
    events.connectOnline(this, connectAck)
    if (this.settings.offlineUseHookPull) {
      this.replay.pull(this.settings)
        .catch(err => this.deps.log.error({ ...this.logFields(), err }, 'pulling offline messages failed'))
    } else {
      this.schedule()
    }
  }

  // --- frames in

  /** A frame from the client. */
  receive (data: Buffer, isBinary: boolean): void {
    if (this.closed || this.finishing) return
    this.lastFrameAt = this.deps.now()
    const frame = data.length > this.deps.maxFrameBytes
      ? FrameError.FRAME_TOO_LARGE
      : isBinary ? data : FrameError.NOT_A_CLIENT_FRAME
    if (this.backlog.length > 0 || this.isBusy()) {
      if (this.backlog.push(frame) === 1) this.ws.pause()
      this.schedule()
    } else {
      this.handle(frame)
    }
  }

  /**
   * Milliseconds since the client was last heard. None while it is we who do not listen, nor while a frame is still
   * arriving: on a slow line a large one takes longer than a window.
   */
  silentMs (now: number): number {
    const arrived = this.socket.bytesRead - this.bytesReadBefore
    this.bytesReadBefore += arrived
    const silent = now - this.lastFrameAt
    const isArriving = silent >= this.heartbeatWindowMs && arrived > MIN_PROGRESS_BYTES
    return this.backlog.length > 0 || isArriving ? 0 : silent
  }

  /** Answers a message, exactly once for each that the pipeline accepted. */
  acknowledge (ack: Ack): void {
    this.inflight--
    if (this.inflight === 0) this.onIdle?.()
    if (this.closed) return
    this.send(encodeAck(ack))
    if (this.backlog.length > 0) this.schedule()
  }

  /** The end of a turn of the event loop: go on with what had to wait. */
  flush (): void {
    this.scheduled = false
    this.handledThisTurn = 0
    if (this.closed) return
    if (this.backlog.length > 0) this.handleBacklog()
    if (!this.closed) this.replay.pump()
  }

  /** One connection handles a bounded number of frames a turn, so that a flood does not hold up the others. */
  private isBusy (): boolean {
    return this.inflight >= this.deps.maxInflight || this.handledThisTurn >= this.deps.maxInflight
  }

  private handle (data: Buffer | FrameError): void {
    this.handledThisTurn++
    this.schedule()
    const frame = typeof data === 'number' ? data : decodeClientFrame(data) ?? FrameError.NOT_A_CLIENT_FRAME
    if (typeof frame === 'number') {
      this.sendError(frame)
    } else if (frame instanceof HeartbeatPing) {
      this.send(encodePong(this.deps.now()))
    } else {
      this.inflight++
      this.deps.pipeline.accept(this, frame)
    }
  }

  private handleBacklog (): void {
    let handled = 0
    while (handled < this.backlog.length && !this.closed && !this.isBusy()) this.handle(this.backlog[handled++])
    this.backlog.splice(0, handled)
    if (this.backlog.length === 0 && !this.closed) {
      // The client could not be heard in the meantime: that is no silence of its own.
      this.lastFrameAt = this.deps.now()
      this.ws.resume()
    }
  }

  // --- frames out

  /**
   * Hands a live message to this device: to its socket, or behind what still waits for it offline.
   * @param isShared whether another device of the user has it too
   */
  deliver (delivery: Delivery, isShared: boolean): void {
    const cargo = isShared ? new DeviceCopy(delivery) : delivery
    if (this.replay.isActive) {
      if (!this.replay.hold(cargo)) this.overflow()
    } else if (this.replay.isFirstSight(delivery.message)) {
      this.send(delivery.frame, cargo, delivery.isBulk)
    } else {
      noteDevice(delivery.message, 'skipped', 'had it before', this.userId, this.deviceId)
    }
  }

  /** Something may have come into the offline buffer for this device. */
  wake (): void {
    this.replay.wake()
  }

  /** Sends a WebSocket ping. */
  ping (): void {
    if (this.isOpen) this.ws.ping()
  }

  private send (frame: Buffer, cargo?: Cargo, isBulk = false): void {
    if (!this.outbound.send(frame, cargo, isBulk)) this.overflow()
  }

  private overflow (): void {
    if (this.closed) return
    this.metrics.outboundOverflows++
    this.close(CloseCode.SLOW_CONSUMER, 'slow consumer: read faster, then reconnect')
  }

  private sendError (code: FrameError): void {
    this.metrics.frameErrors.add(code)
    const message = code === FrameError.FRAME_TOO_LARGE
      ? `the frame is too large: at most ${this.deps.maxFrameBytes} bytes are allowed`
      : 'the frame is not a binary mics.message.v1.ClientFrame with a payload'
    this.send(encodeServerFrame(create(ServerFrameSchema, { payload: { case: 'error', value: { code, message } } })))
  }

  /** Behind a close frame nothing is received, although the kernel still takes it. Only for `outbound`. */
  get isOpen (): boolean {
    return this.ws.readyState === WebSocket.OPEN
  }

  /** Only for `outbound`. */
  onWritten (cargo: Cargo): void {
    if (!isLive(cargo)) this.metrics.offlineDelivered++
    noteWritten(deliveryOf(cargo).message, this.userId, this.deviceId)
  }

  /** Only for `outbound`. */
  onRoom (): void {
    this.replay.continue()
  }

  // --- the end

  /**
   * Ends the session with a close code. From here on it is out of the routes; what it had not written goes to the
   * offline buffer, or to the connection that took its place.
   */
  close (code: CloseCode, reason: string): void {
    if (this.closed) return
    this.leave(code)
    this.deps.log.info({ ...this.logFields(), code, reason }, 'connection closed by the gateway')
    // The peer's own close frame must be read for the socket to end.
    this.ws.resume()
    this.ws.close(code, closeReason(reason))
  }

  /** Takes no further messages; resolves when none is in the pipeline. For draining. */
  finish (): Promise<void> {
    this.finishing = true
    this.backlog = []
    return this.inflight === 0 ? Promise.resolve() : new Promise(resolve => { this.onIdle = resolve })
  }

  private onSocketClosed (code: number): void {
    if (!this.closed) {
      this.leave(code)
      this.deps.log.info({ ...this.logFields(), code, error: this.socketError },
        code === 1006 ? 'connection lost' : 'connection closed by the client')
    }
    this.save(this.outbound.unconfirmed(), code)
    this.deps.connections.ending--
  }

  private leave (code: number): void {
    this.closed = true
    this.backlog = []
    this.deps.connections.remove(this)
    this.deps.connections.ending++
    if (this.watched !== undefined) this.deps.heartbeats.unwatch(this.watched)
    this.metrics.connections--
    this.metrics.closes.add(COUNTED_CODES.has(code) ? code : 'other')
    const unsent = this.outbound.close()
    // What such a client has not taken by now it takes only by chance, and not before its next connection has begun:
    // better twice than late. Otherwise the end of the socket tells: see onSocketClosed.
    const isLost = code === CloseCode.REPLACED || code === CloseCode.HEARTBEAT_TIMEOUT
    this.save([...isLost ? this.outbound.unconfirmed() : [], ...unsent, ...this.replay.close()], code)
    this.deps.presence.leave(this.tenantId, this.userId, this.deviceId, this.place)
    this.deps.events.connectOffline(this, this.connectAck())
  }

  /** Puts what was not written where the user's next connection finds it. */
  private save (cargo: Cargo[], code: number): void {
    const { offline, connections } = this.deps
    const { tenantId, userId } = this
    const online = connections.ofUser(tenantId, userId)
    for (const item of cargo) {
      const entry = isLive(item) ? this.entryOf(deliveryOf(item), item instanceof DeviceCopy) : item
      const isKept = offline.add(entry)
      if (!isKept) this.metrics.offlineSkipped++
      else if (entry !== item) this.metrics.offlineBuffered++
      noteDevice(entry.delivery.message, 'closed', isKept ? 'back to the buffer' : 'lost', userId, this.deviceId, `close code ${code}`)
      entry.delivery.forgetFrame()
    }
    // Whoever is connected may be the one it now belongs to.
    if (offline.holdsFor(tenantId, userId)) for (const other of online) other.wake()
  }

  private connectAck (): ConnectAck {
    const { tenantId, userId, deviceId, traceId } = this
    const { nodeId } = this.deps
    return create(ConnectAckSchema, { code: CloseCode.NORMAL, tenantId, userId, deviceId, nodeId, traceId })
  }

  /** Who this is, for a log line. */
  logFields (): { tenantId: string, userId: string, deviceId: string, traceId: string } {
    const { tenantId, userId, deviceId, traceId } = this
    return { tenantId, userId, deviceId, traceId }
  }

  /** This device's entry in the offline buffer. What no other device has, any may have when this one is away. */
  private entryOf (delivery: Delivery, isShared: boolean): OfflineEntry {
    const { tenantId, userId, deviceId } = this
    const expiresAt = this.deps.now() + this.settings.offlineBufferTtlSeconds * 1000
    return { tenantId, userId, deviceId, delivery, expiresAt, anyDeviceInstead: !isShared }
  }

  /** Asks for `flush` at the end of this turn of the event loop. */
  schedule (): void {
    if (this.scheduled) return
    this.scheduled = true
    this.deps.flushQueue.add(this)
  }
}
