import type { Test } from 'tap'
import { MemoryTenantPlaces } from '../../lib/admission/memory-tenant-places.js'
import { MemoryStore } from '../../lib/cluster/memory-store.js'
import type { Arrival } from '../../lib/cluster/peers.js'
import type { TenantSettings } from '../../lib/config/gateway-config.js'
import { Connections } from '../../lib/connections/connections.js'
import { MemoryNodeDirectory } from '../../lib/node-directory/memory-node-directory.js'
import { MemoryOnlineRoutes } from '../../lib/online-routes/memory-online-routes.js'
import type { OnlineRoutes, Registration } from '../../lib/online-routes/online-routes.js'
import { Presence, type NoPlace, type Place } from '../../lib/presence/presence.js'
import { RecentArrivals } from '../../lib/presence/recent-arrivals.js'
import type { CloseCode } from '../../lib/protocol/close-codes.js'
import { FakeSession } from '../connections/fake-session.js'

/** A session that gives its place back when it ends, as real ones do. */
export class PlacedSession extends FakeSession {
  isClosed = false

  constructor (
    private readonly node: PresenceNode, tenantId: string, userId: string, deviceId: string,
    readonly place: Place, readonly begun: number
  ) {
    super(tenantId, userId, deviceId)
  }

  override close (code: CloseCode): void {
    if (this.isClosed) return
    super.close(code)
    this.isClosed = true
    this.node.connections.remove(this.asSession)
    this.node.presence.leave(this.tenantId, this.userId, this.deviceId, this.place)
  }
}

/** One node's presence, over the store of the test. Its peers are the other nodes of the same list. */
export class PresenceNode {
  readonly connections = new Connections()
  readonly directory: MemoryNodeDirectory
  readonly places: MemoryTenantPlaces
  readonly presence: Presence
  /** What was handed over: `tenant user member`. */
  readonly moves: string[] = []
  /** Of users of whom this node forgot where they are. */
  readonly forgotten: string[] = []
  /** The store answers nothing. */
  isStoreGone = false
  /** Calls that failed because of it. */
  failures = 0
  /** Awaited between a registration in the store and its answer. */
  onRegistered = async (_registration: Registration): Promise<void> => {}
  /** What this node holds for somebody is told the others before a route goes. */
  settle = (_tenantId: string, _userId: string): Promise<void> | undefined => undefined
  /** A peer's answer to an arrival. */
  arriving = async (): Promise<void> => {}
  private begun = 0

  constructor (
    readonly store: MemoryStore, nodeId: string, private readonly nodes: PresenceNode[],
    { admitWithoutStore, arrivalTimeoutMs }: { admitWithoutStore: boolean, arrivalTimeoutMs: number }
  ) {
    this.directory = new MemoryNodeDirectory(store, {
      nodeId, endpoint: () => `http://${nodeId}:8081`, leaseMs: 60_000, renewMs: 60_000,
    })
    this.places = new MemoryTenantPlaces(store, this.directory)
    this.presence = new Presence({
      routes: this.faulty(new MemoryOnlineRoutes(store, this.directory)),
      cache: { forget: (tenantId, userId) => { this.forgotten.push(`${tenantId} ${userId}`) } },
      places: this.places,
      peers: { arrive: async (memberKey, arrival) => await this.tell(memberKey, arrival) },
      directory: this.directory,
      connections: this.connections,
      offlineIndex: { settle: (tenantId, userId) => this.settle(tenantId, userId), reassert: () => {} },
      handovers: {
        move: async (tenantId, userId, memberKey, deviceId) =>
          this.moves.push([tenantId, userId, memberKey, deviceId].filter(Boolean).join(' ')) > 0,
        settled: async () => {},
      },
      arrivals: new RecentArrivals(60_000),
      admitWithoutStore,
      arrivalTimeoutMs,
      onStoreFailure: () => {},
      now: store.now,
    })
    nodes.push(this)
  }

  /** A client's whole way in. */
  async connect (
    userId: string, deviceId: string, limits: Partial<TenantSettings> = {}
  ): Promise<PlacedSession | NoPlace> {
    const begun = this.nextHandshake()
    const place = await this.enter(userId, deviceId, begun, limits)
    return typeof place === 'string' ? place : this.start(userId, deviceId, place, begun)
  }

  nextHandshake (): number {
    return ++this.begun
  }

  async enter (
    userId: string, deviceId: string, begun: number, limits: Partial<TenantSettings> = {}
  ): Promise<Place | NoPlace> {
    const settings = { userMaxConnections: 0, tenantMaxConnections: 0, ...limits } as TenantSettings
    return await this.presence.enter('t1', userId, deviceId, begun, settings)
  }

  /** The session takes the place of its device's former one. */
  start (userId: string, deviceId: string, place: Place, begun = this.nextHandshake()): PlacedSession {
    const session = new PlacedSession(this, 't1', userId, deviceId, place, begun)
    const former = this.connections.ofDevice('t1', userId, deviceId)
    this.connections.add(session.asSession)
    former?.close(4409, '')
    this.presence.started(session.asSession)
    return session
  }

  /** Its lease has run out: it joins again. */
  async becomesAnother (): Promise<void> {
    this.store.leases.delete(this.directory.self.key)
    await this.directory.refresh()
  }

  private async tell (memberKey: string, arrival: Arrival): Promise<boolean> {
    const peer = this.nodes.find(({ directory }) => directory.self.key === memberKey)
    if (peer === undefined) return false
    await peer.arriving()
    await peer.presence.arrived(this.directory.self.key, arrival)
    return true
  }

  private faulty (routes: OnlineRoutes): OnlineRoutes {
    const check = (): void => {
      if (!this.isStoreGone) return
      this.failures++
      throw new Error('the store is gone')
    }
    return {
      register: async (...args) => {
        check()
        const registration = await routes.register(...args)
        await this.onRegistered(registration)
        return registration
      },
      unregister: async (...args) => {
        check()
        await routes.unregister(...args)
      },
      lookup: async (...args) => await routes.lookup(...args),
      hold: async (...args) => await routes.hold(...args),
      bury: async memberKey => await routes.bury(memberKey),
    }
  }
}

/** Nodes that share a store; closed with the test. */
export async function presenceNodes (
  t: Test, count: number, { admitWithoutStore = true, arrivalTimeoutMs = 10_000, now = Date.now } = {}
): Promise<PresenceNode[]> {
  const store = new MemoryStore(now)
  const nodes: PresenceNode[] = []
  for (let i = 1; i <= count; i++) {
    const node = new PresenceNode(store, `node${i}`, nodes, { admitWithoutStore, arrivalTimeoutMs })
    t.teardown(() => {
      node.presence.close()
      node.directory.close()
    })
    await node.directory.join()
  }
  for (const { directory } of nodes) await directory.refresh()
  return nodes
}

/** Where the store has a device's route: `member order`. */
export function routeOf ({ store }: PresenceNode, userId: string, deviceId: string): string | undefined {
  const route = store.findUser('t1', userId)?.online.get(deviceId)
  return route === undefined ? undefined : `${route.memberKey} ${route.order}`
}
