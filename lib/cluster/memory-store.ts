/** A node's lease. */
export interface MemoryLease {
  readonly nodeId: string
  readonly incarnation: number
  endpoint: string
  isDraining: boolean
  until: number
}

/** A device's connection. */
export interface MemoryRoute {
  readonly memberKey: string
  readonly order: number
}

/** What is known of a user. */
export interface MemoryUser {
  /** By device. */
  readonly online: Map<string, MemoryRoute>
  /** Offline messages, by the member that holds them. */
  readonly offline: Map<string, number>
}

/**
 * What nodes share, in the memory of one process: a single node has one of its own, several apps that share one are a
 * cluster. It stands where Redis stands otherwise, and is bounded by what the nodes themselves hold.
 */
export class MemoryStore {
  /** By member key. */
  readonly leases = new Map<string, MemoryLease>()
  /** When somebody renewed last. */
  renewedAt = 0
  /** Members that are gone, and from when on another node may be chosen to remove what they left behind. */
  readonly dead = new Map<string, number>()
  /** By tenant, then by user. */
  readonly users = new Map<string, Map<string, MemoryUser>>()
  /** Of all connections so far. */
  lastOrder = 0
  /** How many connections there are, by tenant, then by member. */
  readonly connections = new Map<string, Map<string, number>>()

  /** @param now Unix milliseconds */
  constructor (readonly now: () => number = Date.now) {}

  findUser (tenantId: string, userId: string): MemoryUser | undefined {
    return this.users.get(tenantId)?.get(userId)
  }

  addUser (tenantId: string, userId: string): MemoryUser {
    let users = this.users.get(tenantId)
    if (users === undefined) this.users.set(tenantId, users = new Map())
    const user: MemoryUser = { online: new Map(), offline: new Map() }
    users.set(userId, user)
    return user
  }

  /** Forgets a user of whom nothing is known any more. */
  removeIfEmpty (tenantId: string, userId: string): void {
    const users = this.users.get(tenantId)
    const user = users?.get(userId)
    if (users === undefined || user === undefined || user.online.size + user.offline.size > 0) return
    users.delete(userId)
    if (users.size === 0) this.users.delete(tenantId)
  }
}
