import type { NodeDirectory } from '../node-directory/node-directory.js'
import type { OnlineRoutes } from './online-routes.js'

const NOWHERE: readonly string[] = []

/** What is found of a user of whom nothing is known: Redis did not answer. */
export const UNKNOWN: readonly string[] = []

interface Cached {
  members: readonly string[]
  /** -Infinity: not yet. */
  lookedUpAt: number
  /** The lookup that is under way. */
  lookup?: Promise<readonly string[]>
}

type Users = Map<string, Map<string, Cached>>

export interface RouteCacheOptions {
  /** Milliseconds that an answer is good for; 0: only for those who ask while it is being looked up. */
  ttlMs: number
  /** Users remembered at most. */
  maxEntries: number
  /** Milliseconds of a clock that goes on while the process is stopped. */
  now?: () => number
}

/**
 * The other members where a user is connected, remembered for a moment. Two generations, the older dropped as a whole
 * when the younger has half of the entries.
 */
export class RouteCache {
  private young: Users = new Map()
  private old: Users = new Map()
  private youngSize = 0
  private oldSize = 0
  private readonly now: () => number
  /** Answers given from what was known, because Redis did not say whether it still holds. */
  degraded = 0

  constructor (
    private readonly routes: Pick<OnlineRoutes, 'lookup'>,
    private readonly directory: Pick<NodeDirectory, 'self' | 'members' | 'get'>,
    private readonly options: RouteCacheOptions
  ) {
    this.now = options.now ?? (() => performance.now())
  }

  /** Users remembered now. */
  get size (): number {
    return this.youngSize + this.oldSize
  }

  /**
   * Keys of the other live members where the user has a device; at once where that is known. Never rejects: where Redis
   * does not answer it is what was known last, however old, or `UNKNOWN`.
   */
  find (tenantId: string, userId: string): readonly string[] | Promise<readonly string[]> {
    const members = this.directory.members()
    if (members.length === 1 && members[0].key === this.directory.self.key) return NOWHERE
    let cached = this.young.get(tenantId)?.get(userId) ?? this.old.get(tenantId)?.get(userId)
    if (cached !== undefined && this.now() - cached.lookedUpAt < this.options.ttlMs) return this.live(cached.members)
    if (cached?.lookup !== undefined) return cached.lookup
    cached ??= { members: NOWHERE, lookedUpAt: -Infinity }
    return this.lookUp(tenantId, userId, cached)
  }

  /** The same, whatever is remembered. */
  findFresh (tenantId: string, userId: string): readonly string[] | Promise<readonly string[]> {
    this.forget(tenantId, userId)
    return this.find(tenantId, userId)
  }

  /** The user has connected somewhere, or left: what is known, or being looked up now, may be wrong. */
  forget (tenantId: string, userId: string): void {
    if (this.young.get(tenantId)?.delete(userId) === true) this.youngSize--
    if (this.old.get(tenantId)?.delete(userId) === true) this.oldSize--
  }

  private lookUp (tenantId: string, userId: string, cached: Cached): Promise<readonly string[]> {
    const startedAt = this.now()
    this.keep(tenantId, userId, cached)
    cached.lookup = this.routes.lookup(tenantId, userId).then(
      members => {
        cached.members = members.length === 0 ? NOWHERE : members
        cached.lookedUpAt = startedAt
        return members
      },
      () => {
        this.degraded++
        const members = this.live(cached.members)
        return members.length === 0 ? UNKNOWN : members
      }
    ).finally(() => { cached.lookup = undefined })
    return cached.lookup
  }

  /** Without those that are gone by now. */
  private live (members: readonly string[]): readonly string[] {
    const { directory } = this
    return members.every(key => directory.get(key) !== undefined)
      ? members
      : members.filter(key => directory.get(key) !== undefined)
  }

  private keep (tenantId: string, userId: string, cached: Cached): void {
    if (this.young.get(tenantId)?.has(userId) === true) return
    if (this.old.get(tenantId)?.delete(userId) === true) this.oldSize--
    if (this.youngSize >= this.options.maxEntries / 2) {
      this.old = this.young
      this.oldSize = this.youngSize
      this.young = new Map()
      this.youngSize = 0
    }
    let users = this.young.get(tenantId)
    if (users === undefined) this.young.set(tenantId, users = new Map())
    users.set(userId, cached)
    this.youngSize++
  }
}
