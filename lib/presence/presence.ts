import type { TenantPlaces } from '../admission/tenant-places.js'
import type { Arrival, Peers } from '../cluster/peers.js'
import type { TenantSettings } from '../config/gateway-config.js'
import type { Connections } from '../connections/connections.js'
import type { NodeDirectory } from '../node-directory/node-directory.js'
import type { Handovers } from '../offline/handovers.js'
import type { OfflineIndex } from '../offline/offline-index.js'
import type { OnlineRoutes, Registration } from '../online-routes/online-routes.js'
import type { RouteCache } from '../online-routes/route-cache.js'
import { CloseCode } from '../protocol/close-codes.js'
import type { Session } from '../session/session.js'
import { withinMs } from '../timing/within-ms.js'
import type { RecentArrivals } from './recent-arrivals.js'
import { Withdrawals } from './withdrawals.js'

/** Connections that register again at once: a node has many of them, and others want Redis too. */
const REASSERT_CHUNK = 200

/** Milliseconds until connections that the store does not know of are registered again. */
const RETRY_MS = 500

/** A connection's place among those of its device, in the whole cluster. */
export interface Place {
  /** The connection of a device with the highest one is its connection. */
  order: number
  /** Whether the store may know of it. False: the store was gone when it connected. */
  isRegistered: boolean
  /** How often everything had been registered again when it was. */
  readonly generation: number
}

/** Why a client finds no place. */
export type NoPlace = 'tenant_connections' | 'user_connections' | 'replaced' | 'unavailable'

/** A client on its way in, between its authentication and its session. */
interface Entering {
  /** The position of its handshake among those of this node. */
  readonly begun: number
  /** The highest order of the device's connections to other nodes that came meanwhile. */
  newestElsewhere: number
  /** A newer connection of the device came meanwhile to this node. */
  isSuperseded: boolean
}

/**
 * Makes the clients of this node known to the cluster, and the arrivals at other nodes known to this one: limits,
 * routes, takeovers, and the collecting of what was held for a user elsewhere.
 */
export class Presence {
  private readonly entering = new Map<string, Entering>()
  private readonly withdrawals: Withdrawals
  private reasserting?: Promise<void>
  private mustReassert = false
  private generation = 0
  /** Connections that the store does not know of, or may not. */
  private readonly unknown = new Set<Session>()
  private retryTimer?: NodeJS.Timeout
  private isClosed = false
  /** Clients let in without the cluster knowing. */
  unregistered = 0

  constructor (private readonly deps: {
    routes: OnlineRoutes
    cache: Pick<RouteCache, 'forget'>
    places: TenantPlaces
    peers: Pick<Peers, 'arrive'>
    directory: Pick<NodeDirectory, 'self' | 'get' | 'refresh'>
    connections: Connections
    offlineIndex: Pick<OfflineIndex, 'settle' | 'reassert'>
    handovers: Pick<Handovers, 'move' | 'settled'>
    arrivals: RecentArrivals
    /** Let clients in while the store is gone. */
    admitWithoutStore: boolean
    /** Milliseconds a client waits for other nodes to hand over what they hold for it. */
    arrivalTimeoutMs: number
    /** Hears of calls to the store that failed; they are made again, or done without. */
    onStoreFailure: (error: unknown) => void
    now: () => number
  }) {
    this.withdrawals = new Withdrawals(deps.routes)
  }

  /**
   * Finds an authenticated client its place: within the limits of tenant and user, registered as its device's newest
   * connection, the older one closed and everything held for the user here, as far as other nodes answer in time.
   * Whoever gets a place gives it back with `leave`. Never rejects.
   * @param begun the position of the handshake among those of this node
   */
  async enter (
    tenantId: string, userId: string, deviceId: string, begun: number, settings: TenantSettings
  ): Promise<Place | NoPlace> {
    const key = `${tenantId}\0${userId}\0${deviceId}`
    const former = this.entering.get(key)
    const present = this.deps.connections.ofDevice(tenantId, userId, deviceId)
    if ((present?.begun ?? 0) > begun || (former?.begun ?? 0) > begun) return 'replaced'
    if (former !== undefined) former.isSuperseded = true
    const entering: Entering = { begun, newestElsewhere: 0, isSuperseded: false }
    this.entering.set(key, entering)
    try {
      return await this.findPlace(tenantId, userId, deviceId, settings, entering)
    } finally {
      if (this.entering.get(key) === entering) this.entering.delete(key)
    }
  }

  /** A client that got a place has its session now: from here on `reassert` includes it. */
  started (session: Session): void {
    const { isRegistered, generation } = session.place
    // Everything was registered again while it was on its way from its place to its session.
    if (!isRegistered || generation !== this.generation) this.registerLater(session)
  }

  /** A client that got a place is gone, or is not let in after all. */
  abandon (tenantId: string, userId: string, deviceId: string, place: Place): void {
    const present = this.deps.connections.ofDevice(tenantId, userId, deviceId)
    if (present === undefined || !place.isRegistered) {
      this.leave(tenantId, userId, deviceId, place)
      return
    }
    // It had taken the route of the device's connection that is still here: that takes it over.
    this.deps.places.release(tenantId)
    present.place.order = Math.max(present.place.order, place.order)
    present.place.isRegistered = true
  }

  /** Gives a place back. What the client missed must be in the offline buffer by now. */
  leave (tenantId: string, userId: string, deviceId: string, place: Place): void {
    this.deps.places.release(tenantId)
    if (place.isRegistered) this.withdraw(tenantId, userId, deviceId, place.order)
  }

  /** A device has connected to another member. Resolves when all that was here for its user has moved there. */
  async arrived (memberKey: string, { tenantId, userId, deviceId, order }: Arrival): Promise<void> {
    const { arrivals, cache, connections, directory, handovers } = this.deps
    arrivals.add(tenantId, userId)
    cache.forget(tenantId, userId)
    const entering = this.entering.get(`${tenantId}\0${userId}\0${deviceId}`)
    if (entering !== undefined) entering.newestElsewhere = Math.max(entering.newestElsewhere, order)
    const session = connections.ofDevice(tenantId, userId, deviceId)
    if (session !== undefined && session.place.order < order) this.replace(session)
    if (directory.get(memberKey) === undefined) await directory.refresh().catch(err => this.deps.onStoreFailure(err))
    // What is on its way to elsewhere may come back.
    await handovers.settled(tenantId, userId)
    // What other devices of the user are here for, they get here.
    const isHere = connections.ofUser(tenantId, userId).length > 0
    await handovers.move(tenantId, userId, memberKey, isHere ? deviceId : undefined)
  }

  /**
   * What the cluster knows of this node may be gone: registers every connection again, and says again what is held
   * here. What fails is tried again later. Never rejects.
   */
  reassert (): Promise<void> {
    this.generation++
    this.mustReassert = true
    this.reasserting ??= this.reassertAll()
    return this.reasserting
  }

  /** Connections that the store is yet to be told of. */
  get outstanding (): number {
    return this.unknown.size
  }

  /** Routes of connections that have ended that the store is yet to be told of. */
  get withdrawing (): number {
    return this.withdrawals.size
  }

  close (): void {
    this.isClosed = true
    clearTimeout(this.retryTimer)
    this.withdrawals.close()
  }

  private async findPlace (
    tenantId: string, userId: string, deviceId: string, settings: TenantSettings, entering: Entering
  ): Promise<Place | NoPlace> {
    const { routes, places } = this.deps
    const { userMaxConnections, tenantMaxConnections } = settings
    let registration: Registration
    let isRegistered = true
    const { generation } = this
    try {
      registration = await routes.register(tenantId, userId, deviceId, userMaxConnections)
    } catch (error) {
      this.deps.onStoreFailure(error)
      if (!this.deps.admitWithoutStore) return 'unavailable'
      registration = this.registerLocally(tenantId, userId, deviceId, userMaxConnections)
      isRegistered = false
    }
    if (registration.kind !== 'registered') return registration.kind === 'refused' ? 'user_connections' : 'replaced'
    const place: Place = { order: registration.order, isRegistered, generation }
    // A device that reconnects takes its own place again, however many there are.
    if (!await places.take(tenantId, registration.replaces ? 0 : tenantMaxConnections)) {
      if (place.isRegistered) this.withdraw(tenantId, userId, deviceId, place.order)
      return 'tenant_connections'
    }
    await this.collect(registration.elsewhere, { tenantId, userId, deviceId, order: place.order })
    if (!entering.isSuperseded && entering.newestElsewhere < place.order) return place
    this.abandon(tenantId, userId, deviceId, place)
    return 'replaced'
  }

  /** The store is gone: what this node knows has to do. */
  private registerLocally (tenantId: string, userId: string, deviceId: string, maxDevices: number): Registration {
    const { connections, now } = this.deps
    const former = connections.ofDevice(tenantId, userId, deviceId)
    const replaces = former !== undefined
    const devices = connections.ofUser(tenantId, userId).length
    if (!replaces && maxDevices > 0 && devices >= maxDevices) return { kind: 'refused' }
    this.unregistered++
    // Microseconds, like the orders of the store, whose clock may be ahead of ours.
    const order = Math.max(now() * 1000, (former?.place.order ?? 0) + 1)
    return { kind: 'registered', order, replaces, elsewhere: [] }
  }

  /** Tells the members that must know, and waits for what they hold; not for longer than a client may wait. */
  private async collect (memberKeys: readonly string[], arrival: Arrival): Promise<void> {
    const { peers, handovers, arrivalTimeoutMs } = this.deps
    const told = Promise.all(memberKeys.map(key => peers.arrive(key, arrival)))
    // Some of it may be on its way from here to where the user was before.
    const all = told.then(() => handovers.settled(arrival.tenantId, arrival.userId))
    await withinMs(arrivalTimeoutMs, all)
  }

  private withdraw (tenantId: string, userId: string, deviceId: string, order: number): void {
    // First what is held here for the user, then the route goes: whoever connects sees one or the other.
    const { offlineIndex, onStoreFailure } = this.deps
    const settled = offlineIndex.settle(tenantId, userId)
    if (settled === undefined) this.withdrawals.add({ tenantId, userId, deviceId, order })
    else settled.then(() => this.withdrawals.add({ tenantId, userId, deviceId, order }), onStoreFailure)
  }

  private replace (session: Session): void {
    session.close(CloseCode.REPLACED, 'replaced by a newer connection of this device')
  }

  private async reassertAll (): Promise<void> {
    const { places, offlineIndex, connections, onStoreFailure } = this.deps
    while (this.mustReassert && !this.isClosed) {
      this.mustReassert = false
      offlineIndex.reassert()
      await this.registerAll(connections.list())
      await places.assert().catch(onStoreFailure)
    }
    this.reasserting = undefined
  }

  /** One that fails holds up no other: a part of the store may be gone. */
  private async registerAll (sessions: Session[]): Promise<void> {
    for (let i = 0; i < sessions.length; i += REASSERT_CHUNK) {
      await Promise.all(sessions.slice(i, i + REASSERT_CHUNK).map(session => this.registerAgain(session)))
    }
  }

  private registerLater (session: Session): void {
    if (this.isClosed) return
    this.unknown.add(session)
    this.retryTimer ??= setTimeout(() => this.registerUnknown(), RETRY_MS).unref()
  }

  private async registerUnknown (): Promise<void> {
    await this.registerAll([...this.unknown])
    this.retryTimer = undefined
    for (const session of this.unknown) this.registerLater(session)
  }

  private async registerAgain (session: Session): Promise<void> {
    if (session.isClosed) {
      this.unknown.delete(session)
      return
    }
    const { routes, peers, onStoreFailure } = this.deps
    const { tenantId, userId, deviceId, place } = session
    // From here on the store may know of it, whatever comes of the answer.
    place.isRegistered = true
    try {
      const registration = await routes.register(tenantId, userId, deviceId, 0, place.order)
      this.unknown.delete(session)
      if (registration.kind === 'registered') {
        const arrival = { tenantId, userId, deviceId, order: place.order }
        for (const key of registration.elsewhere) peers.arrive(key, arrival)
        // It ended while it was registering.
        if (session.isClosed) this.withdraw(tenantId, userId, deviceId, place.order)
      } else if (!session.isClosed) {
        this.replace(session)
      }
    } catch (error) {
      onStoreFailure(error)
      this.registerLater(session)
    }
  }
}
