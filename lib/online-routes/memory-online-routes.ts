import type { MemoryStore, MemoryUser } from '../cluster/memory-store.js'
import type { NodeDirectory } from '../node-directory/node-directory.js'
import { Membership } from './membership.js'
import type { Buried, OnlineRoutes, Registration } from './online-routes.js'
import { userName, UserTurns } from './user-turns.js'

/** Users looked at for what a dead member left behind, before other work has its turn. */
const BURY_CHUNK = 1000

/** Who is online on which of the members that share one store in the memory of this process. */
export class MemoryOnlineRoutes implements OnlineRoutes {
  private readonly membership: Membership
  private readonly turns = new UserTurns()

  constructor (private readonly store: MemoryStore, private readonly directory: NodeDirectory) {
    this.membership = new Membership(directory)
  }

  async register (
    tenantId: string, userId: string, deviceId: string, maxDevices: number, order?: number
  ): Promise<Registration> {
    return await this.inTurn(tenantId, userId, () => {
      const user = this.store.findUser(tenantId, userId) ?? this.store.addUser(tenantId, userId)
      for (const [device, { memberKey }] of user.online) {
        if (this.directory.get(memberKey) === undefined) user.online.delete(device)
      }
      const { online, offline } = user
      const former = online.get(deviceId)
      if (order === undefined && former === undefined && maxDevices > 0 && online.size >= maxDevices) {
        return { kind: 'refused' }
      }
      if (order !== undefined && former !== undefined && former.order > order) return { kind: 'replaced' }
      const elsewhere = this.membership.peersAmong([...routesOf(user), ...offline.keys()])
      order ??= this.store.lastOrder + 1
      this.store.lastOrder = Math.max(this.store.lastOrder, order)
      online.set(deviceId, { memberKey: this.directory.self.key, order })
      return { kind: 'registered', order, replaces: former !== undefined, elsewhere }
    })
  }

  async unregister (tenantId: string, userId: string, deviceId: string, order: number): Promise<void> {
    await this.inTurn(tenantId, userId, () => {
      const user = this.store.findUser(tenantId, userId)
      const route = user?.online.get(deviceId)
      if (user === undefined || route?.order !== order || route.memberKey !== this.directory.self.key) return
      user.online.delete(deviceId)
      this.store.removeIfEmpty(tenantId, userId)
    })
  }

  async lookup (tenantId: string, userId: string): Promise<readonly string[]> {
    return await this.inTurn(tenantId, userId, () =>
      this.membership.peersAmong(routesOf(this.store.findUser(tenantId, userId))))
  }

  async hold (tenantId: string, userId: string, messages: number): Promise<readonly string[]> {
    return await this.inTurn(tenantId, userId, () => {
      const user = this.store.findUser(tenantId, userId) ?? this.store.addUser(tenantId, userId)
      if (messages > 0) user.offline.set(this.directory.self.key, messages)
      else user.offline.delete(this.directory.self.key)
      this.store.removeIfEmpty(tenantId, userId)
      return this.membership.peersAmong(routesOf(user))
    })
  }

  async bury (memberKey: string): Promise<Buried> {
    let routes = 0
    const lostMessages = new Map<string, number>()
    let seen = 0
    for (const [tenantId, users] of this.store.users) {
      for (const [userId, user] of users) {
        if (++seen % BURY_CHUNK === 0) await new Promise(setImmediate)
        for (const [deviceId, route] of user.online) {
          if (route.memberKey === memberKey && user.online.delete(deviceId)) routes++
        }
        const lost = user.offline.get(memberKey) ?? 0
        if (user.offline.delete(memberKey)) lostMessages.set(tenantId, (lostMessages.get(tenantId) ?? 0) + lost)
        this.store.removeIfEmpty(tenantId, userId)
      }
    }
    return { routes, lostMessages }
  }

  /** Takes a step for a user, at one blow, when it is known which of the members it deals with are live. */
  private inTurn<T> (tenantId: string, userId: string, step: () => T): Promise<T> {
    return this.turns.run(userName(tenantId, userId), async () => {
      await this.membership.refreshIfStale()
      for (;;) {
        const unknown = this.unknownOf(tenantId, userId)
        if (unknown.length === 0) return step()
        await this.membership.resolve(unknown)
      }
    })
  }

  private unknownOf (tenantId: string, userId: string): string[] {
    const user = this.store.findUser(tenantId, userId)
    return this.membership.unknownOf([...routesOf(user), ...user?.offline.keys() ?? []])
  }
}

function routesOf (user: MemoryUser | undefined): string[] {
  return user === undefined ? [] : [...user.online.values()].map(({ memberKey }) => memberKey)
}
