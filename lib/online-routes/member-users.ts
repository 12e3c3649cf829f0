import { memberUsersKey } from '../redis/keys.js'
import type { RedisLink } from '../redis/redis-link.js'

/** Users known to be in the set; beyond it all are forgotten, and added once more. */
const MAX_KNOWN = 100_000

/**
 * The set of users for whom a member has registered or holds something, so that its remains are found without a scan
 * of the keyspace. It lives in another slot than the users' routes, so there is no one script for both: a user is added
 * before there is anything, and removed after there is nothing any more. Whoever is in it for nothing does no harm.
 * Changes for one user must come one after the other.
 */
export class MemberUsers {
  private memberKey = ''
  private readonly known = new Set<string>()

  constructor (private readonly link: RedisLink) {}

  async add (memberKey: string, user: string): Promise<void> {
    if (memberKey !== this.memberKey) {
      this.memberKey = memberKey
      this.known.clear()
    }
    if (this.known.has(user)) return
    await this.link.run('routes', redis => redis.sadd(memberUsersKey(memberKey), user))
    if (memberKey !== this.memberKey) return
    if (this.known.size >= MAX_KNOWN) this.known.clear()
    this.known.add(user)
  }

  async remove (memberKey: string, user: string): Promise<void> {
    this.known.delete(user)
    await this.link.run('routes', redis => redis.srem(memberUsersKey(memberKey), user))
  }

  /** What was in Redis may be gone. */
  forget (): void {
    this.known.clear()
  }

  /** Some of them; none: there are no others. */
  async some (memberKey: string, count: number): Promise<string[]> {
    return await this.link.run('bury', redis => redis.srandmember(memberUsersKey(memberKey), count))
  }

  async removeAll (memberKey: string, users: readonly string[]): Promise<void> {
    await this.link.run('bury', redis => redis.srem(memberUsersKey(memberKey), ...users))
  }
}
