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

/** Milliseconds until registering everything again is tried again, where it failed. */
const REASSERT_RETRY_MS = 500

/** A connection's place among those of its device, in the whole cluster. */
export interface Place {
  /** The connection of a device with the highest one is its connection. */
  readonly order: number
  /** False: the store was gone when it connected, and the cluster does not know of it yet. */
  isRegistered: boolean
  /** The member that this node was when it registered. */
  memberKey: string
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
  started (place: Place): void {
    // This node became another member on the client's way from its place to its session.
    if (place.memberKey !== this.deps.directory.self.key) this.reassert()
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
    await handovers.move(tenantId, userId, memberKey)
  }

  /**
   * What the cluster knows of this node may be gone: registers every connection again, and says again what is held
   * here. Repeats until it has worked. Never rejects.
   */
  reassert (): Promise<void> {
    this.mustReassert = true
    this.reasserting ??= this.reassertAll().finally(() => { this.reasserting = undefined })
    return this.reasserting
  }

  close (): void {
    this.isClosed = true
    this.withdrawals.close()
  }

  private async findPlace (
    tenantId: string, userId: string, deviceId: string, settings: TenantSettings, entering: Entering
  ): Promise<Place | NoPlace> {
    const { routes, places } = this.deps
    const { userMaxConnections, tenantMaxConnections } = settings
    let registration: Registration
    let isRegistered = true
    const memberKey = this.deps.directory.self.key
    try {
      registration = await routes.register(tenantId, userId, deviceId, userMaxConnections)
    } catch (error) {
      this.deps.onStoreFailure(error)
      if (!this.deps.admitWithoutStore) return 'unavailable'
      registration = this.registerLocally(tenantId, userId, deviceId, userMaxConnections)
      isRegistered = false
    }
    if (registration.kind !== 'registered') return registration.kind === 'refused' ? 'user_connections' : 'replaced'
    const place: Place = { order: registration.order, isRegistered, memberKey }
    // A device that reconnects takes its own place again, however many there are.
    if (!await places.take(tenantId, registration.replaces ? 0 : tenantMaxConnections)) {
      if (place.isRegistered) this.withdraw(tenantId, userId, deviceId, place.order)
      return 'tenant_connections'
    }
    await this.collect(registration.elsewhere, { tenantId, userId, deviceId, order: place.order })
    if (!entering.isSuperseded && entering.newestElsewhere < place.order) return place
    this.leave(tenantId, userId, deviceId, place)
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
    if (memberKeys.length > 0) {
      await withinMs(arrivalTimeoutMs, Promise.all(memberKeys.map(key => peers.arrive(key, arrival))))
    }
    // It may be on its way to where the user was before.
    await withinMs(arrivalTimeoutMs, handovers.settled(arrival.tenantId, arrival.userId))
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
    const { places, offlineIndex, connections } = this.deps
    while (this.mustReassert && !this.isClosed) {
      this.mustReassert = false
      try {
        offlineIndex.reassert()
        const sessions = connections.list()
        for (let i = 0; i < sessions.length; i += REASSERT_CHUNK) {
          await Promise.all(sessions.slice(i, i + REASSERT_CHUNK).map(session => this.registerAgain(session)))
        }
        await places.assert()
      } catch (error) {
        this.deps.onStoreFailure(error)
        this.mustReassert = true
        await new Promise(resolve => setTimeout(resolve, REASSERT_RETRY_MS).unref())
      }
    }
  }

  private async registerAgain (session: Session): Promise<void> {
    if (session.isClosed) return
    const { routes, peers } = this.deps
    const { tenantId, userId, deviceId, place } = session
    const memberKey = this.deps.directory.self.key
    const registration = await routes.register(tenantId, userId, deviceId, 0, place.order)
    if (registration.kind === 'registered') {
      place.isRegistered = true
      place.memberKey = memberKey
      const arrival = { tenantId, userId, deviceId, order: place.order }
      for (const key of registration.elsewhere) peers.arrive(key, arrival).catch(err => this.deps.onStoreFailure(err))
      // It ended while it was registering.
      if (session.isClosed) this.withdraw(tenantId, userId, deviceId, place.order)
    } else if (!session.isClosed) {
      this.replace(session)
    }
  }
}
