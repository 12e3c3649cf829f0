import type { NodeDirectory } from '../node-directory/node-directory.js'
import { offlineKey, onlineKey } from '../redis/keys.js'
import type { RedisLink } from '../redis/redis-link.js'
import type { Script } from '../redis/script.js'
import { MemberUsers } from './member-users.js'
import { Membership } from './membership.js'
import type { Buried, OnlineRoutes, Registration } from './online-routes.js'
import { buryScript, holdScript, RegisterStatus, registerScript, removeScript } from './route-scripts.js'
import { parseUserName, userName, UserTurns } from './user-turns.js'

/** Users whose remains are removed at once. */
const BURY_CHUNK = 128

/** Milliseconds between two attempts to undo what was left in doubt. */
const UNDO_INTERVAL_MS = 1000

/** Users whose registration is in doubt; beyond it the oldest keep their route until the device connects again. */
const MAX_DOUBTFUL = 10_000

/** A registration that failed and may have taken effect. */
interface Doubt {
  readonly memberKey: string
  readonly deviceId: string
  readonly attempt: string
}

/** Who is online on which of the members that share one Redis. */
export class RedisOnlineRoutes implements OnlineRoutes {
  private readonly membership: Membership
  private readonly users: MemberUsers
  private readonly turns = new UserTurns()
  /** By user; one for each, because it is undone before the next registration. */
  private readonly doubts = new Map<string, Doubt>()
  private readonly undoTimer: NodeJS.Timeout
  private readonly onReset = (): void => this.users.forget()
  private isUndoing = false
  private attempts = 0

  constructor (private readonly link: RedisLink, private readonly directory: NodeDirectory) {
    this.membership = new Membership(directory)
    this.users = new MemberUsers(link)
    directory.on('reset', this.onReset)
    this.undoTimer = setInterval(() => { this.undoAll() }, UNDO_INTERVAL_MS).unref()
  }

  /** Users with a registration that failed and may have taken effect, until it is undone. */
  get doubtful (): number {
    return this.doubts.size
  }

  close (): void {
    clearInterval(this.undoTimer)
    this.directory.off('reset', this.onReset)
  }

  async register (
    tenantId: string, userId: string, deviceId: string, maxDevices: number, order?: number
  ): Promise<Registration> {
    const user = userName(tenantId, userId)
    return await this.turns.run(user, async () => {
      await this.membership.refreshIfStale()
      await this.undo(user)
      const formers = new Set<string>()
      return await this.asSelf(memberKey => this.registerAs(memberKey, user, deviceId, maxDevices, order, formers))
    })
  }

  async unregister (tenantId: string, userId: string, deviceId: string, order: number): Promise<void> {
    const user = userName(tenantId, userId)
    await this.turns.run(user, () => this.remove(this.directory.self.key, user, deviceId, order, ''))
  }

  async lookup (tenantId: string, userId: string): Promise<readonly string[]> {
    await this.membership.refreshIfStale()
    const routes = await this.link.run('routes', redis => redis.hvals(onlineKey(tenantId, userId)))
    return routes.length === 0 ? [] : await this.membership.findPeersAmong(routes.map(memberOf))
  }

  async hold (tenantId: string, userId: string, messages: number): Promise<readonly string[]> {
    const user = userName(tenantId, userId)
    const routes = await this.turns.run(user, async () => {
      await this.membership.refreshIfStale()
      return await this.asSelf(memberKey => this.holdAs(memberKey, user, messages))
    })
    return await this.membership.findPeersAmong(routes.map(memberOf))
  }

  async bury (memberKey: string): Promise<Buried> {
    let routes = 0
    const lostMessages = new Map<string, number>()
    for (;;) {
      const users = await this.users.some(memberKey, BURY_CHUNK)
      if (users.length === 0) return { routes, lostMessages }
      await Promise.all(users.map(async user => {
        const { tenantId } = parseUserName(user)
        const [removed, lost] = await this.runScript('bury', buryScript, user, [memberKey]) as [number, number]
        routes += removed
        if (lost > 0) lostMessages.set(tenantId, (lostMessages.get(tenantId) ?? 0) + lost)
      }))
      // Last, so that whoever goes on after a crash half way finds them again.
      await this.users.removeAll(memberKey, users)
    }
  }

  /** Once more where this node has joined again meanwhile: what it wrote under its former key counts for nothing. */
  private async asSelf<T> (write: (memberKey: string) => Promise<T>): Promise<T> {
    for (;;) {
      const { key } = this.directory.self
      const result = await write(key)
      if (this.directory.self.key === key) return result
    }
  }

  /** @param formers where the device was, this member's own former keys included; more are added */
  private async registerAs (
    memberKey: string, user: string, deviceId: string, maxDevices: number, order: number | undefined,
    formers: Set<string>
  ): Promise<Registration> {
    await this.users.add(memberKey, user)
    const attempt = (++this.attempts).toString(36)
    const isSent = this.link.isUp
    try {
      return await this.tryToRegister(memberKey, user, deviceId, maxDevices, order, attempt, formers)
    } catch (error) {
      // Who has an order can register or unregister again.
      if (order === undefined && isSent) this.doubt(user, { memberKey, deviceId, attempt })
      throw error
    }
  }

  private async tryToRegister (
    memberKey: string, user: string, deviceId: string, maxDevices: number, order: number | undefined, attempt: string,
    formers: Set<string>
  ): Promise<Registration> {
    let gone: readonly string[] = []
    for (;;) {
      const live = this.directory.members().map(({ key }) => key)
      const args = [memberKey, deviceId, attempt, maxDevices, order ?? '', live.length, ...live, ...gone]
      const [status, itsOrder, former, others, holders] =
        await this.runScript('routes', registerScript, user, args) as [number, number, string, string[], string[]]
      if (former !== '') formers.add(former)
      const members = [...formers, ...others, ...holders]
      const elsewhere = await this.membership.findPeersAmong(members)
      if (status === RegisterStatus.REGISTERED) {
        const replaces = former === memberKey || this.directory.get(former) !== undefined
        return { kind: 'registered', order: itsOrder, replaces, elsewhere }
      }
      if (status !== RegisterStatus.UNSURE) {
        await this.remove(memberKey, user, deviceId, '', '')
        return { kind: status === RegisterStatus.REFUSED ? 'refused' : 'replaced' }
      }
      // By now it is known of all of them whether they are gone.
      gone = members.filter(key => this.directory.get(key) === undefined)
    }
  }

  private async holdAs (memberKey: string, user: string, messages: number): Promise<string[]> {
    if (messages > 0) await this.users.add(memberKey, user)
    const [routes, isFree] =
      await this.runScript('routes', holdScript, user, [memberKey, messages]) as [string[], number]
    if (isFree === 1) await this.users.remove(memberKey, user)
    return routes
  }

  private async remove (
    memberKey: string, user: string, deviceId: string, order: number | '', attempt: string
  ): Promise<void> {
    const isFree = await this.runScript('routes', removeScript, user, [memberKey, deviceId, order, attempt])
    if (isFree === 1) await this.users.remove(memberKey, user)
  }

  private doubt (user: string, doubt: Doubt): void {
    this.doubts.set(user, doubt)
    for (const oldest of this.doubts.keys()) {
      if (this.doubts.size <= MAX_DOUBTFUL) break
      this.doubts.delete(oldest)
    }
  }

  private async undo (user: string): Promise<void> {
    const doubt = this.doubts.get(user)
    if (doubt === undefined) return
    await this.remove(doubt.memberKey, user, doubt.deviceId, '', doubt.attempt)
    this.doubts.delete(user)
  }

  private async undoAll (): Promise<void> {
    if (this.isUndoing || !this.link.isUp) return
    this.isUndoing = true
    try {
      for (const user of [...this.doubts.keys()]) await this.turns.run(user, () => this.undo(user))
    } catch {
      // The link has counted it; the rest is tried again.
    } finally {
      this.isUndoing = false
    }
  }

  private async runScript (
    operation: string, script: Script, user: string, args: Array<string | number>
  ): Promise<unknown> {
    const { tenantId, userId } = parseUserName(user)
    const keys: [string, string] = [onlineKey(tenantId, userId), offlineKey(tenantId, userId)]
    return await this.link.run(operation, redis => script.run(redis, keys, args))
  }
}

/** Of a route as it is stored. */
function memberOf (route: string): string {
  return route.slice(0, route.indexOf('|'))
}
