import type { MemoryStore } from '../cluster/memory-store.js'
import { memberKeyOf, parseMemberKey, type Claim, type LeaseView, type Renewal } from './lease.js'
import { LeasedNodeDirectory, type NodeDirectoryOptions } from './leased-node-directory.js'
import type { Member } from './node-directory.js'

/** The nodes that share one store in the memory of this process. */
export class MemoryNodeDirectory extends LeasedNodeDirectory {
  protected readonly isReachable = true

  constructor (private readonly store: MemoryStore, options: NodeDirectoryOptions) {
    super(options)
  }

  protected async renew (renewal: Renewal | undefined): Promise<LeaseView> {
    const now = this.store.now()
    if (renewal === undefined) return { incarnation: 0, members: this.liveMembers(now) }
    this.skipTimeWithoutRenewals(renewal, now)
    for (const [key, { until }] of this.store.leases) if (until <= now) this.endLease(key, now)
    const incarnation = this.take(renewal, now)
    const claim = renewal.mayClaim ? this.claim(now, renewal.claimMs) : undefined
    return { incarnation, members: this.liveMembers(now), claim }
  }

  protected async end (memberKey: string): Promise<void> {
    this.endLease(memberKey, this.store.now())
  }

  protected async settle ({ memberKey, until }: Claim): Promise<void> {
    if (this.store.dead.get(memberKey) === until) this.store.dead.delete(memberKey)
  }

  /** Time in which nobody renewed ends no lease: most likely nobody could. */
  private skipTimeWithoutRenewals ({ nodeId, incarnation, leaseMs }: Renewal, now: number): void {
    const { leases, renewedAt } = this.store
    const gap = now - renewedAt
    this.store.renewedAt = now
    if (gap <= leaseMs / 2 || !leases.has(memberKeyOf(nodeId, incarnation))) return
    for (const lease of leases.values()) lease.until += gap
  }

  /** Extends the lease, or begins another. Its incarnation. */
  private take (renewal: Renewal, now: number): number {
    const { leases, dead } = this.store
    const { nodeId, endpoint, isDraining, leaseMs, claimMs } = renewal
    let { incarnation } = renewal
    if (!leases.has(memberKeyOf(nodeId, incarnation))) {
      // What was on its way when the lease ended may come after the burial: there is another one.
      if (incarnation > 0) dead.set(memberKeyOf(nodeId, incarnation), now + claimMs)
      incarnation = renewal.nextIncarnation
      for (const key of [...leases.keys(), ...dead.keys()]) {
        const former = parseMemberKey(key)
        if (former?.nodeId === nodeId) incarnation = Math.max(incarnation, former.incarnation + 1)
      }
    }
    const lease = { nodeId, incarnation, endpoint, isDraining, until: now + leaseMs }
    leases.set(memberKeyOf(nodeId, incarnation), lease)
    return incarnation
  }

  private liveMembers (now: number): Member[] {
    return [...this.store.leases]
      .filter(([, { until }]) => until > now)
      .map(([key, lease]) => {
        const { nodeId, incarnation, endpoint, isDraining } = lease
        return { key, nodeId, incarnation, endpoint, isDraining }
      })
  }

  private claim (now: number, claimMs: number): Claim | undefined {
    for (const [memberKey, claimable] of this.store.dead) {
      if (claimable > now) continue
      const until = now + claimMs
      this.store.dead.set(memberKey, until)
      return { memberKey, until }
    }
    return undefined
  }

  private endLease (key: string, now: number): void {
    if (this.store.leases.delete(key)) this.store.dead.set(key, now)
  }
}
