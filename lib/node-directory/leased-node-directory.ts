import { randomUUID } from 'node:crypto'
import { EventEmitter } from 'node:events'
import { memberKeyOf, type Claim, type LeaseView, type Renewal } from './lease.js'
import type { Member, NodeDirectory, NodeDirectoryEvents } from './node-directory.js'

/** Milliseconds that one node has for the remains of a member before another takes over. */
const CLAIM_MS = 60_000

/** Renewals in a lease, at least: the odd late one ends no membership. */
const RENEWALS_PER_LEASE = 5

const MAX_RENEW_MS = 1000

export interface NodeDirectoryOptions {
  nodeId: string
  /** The URL under which the other members reach this one; asked for at the join. */
  endpoint: () => string
  /** Milliseconds after which a member that does not renew is gone. */
  leaseMs: number
  /** Milliseconds between renewals. Default: a fifth of the lease, 1000 at most. */
  renewMs?: number
  /** Milliseconds that one node has for the remains of a member before another takes over. Default: 60,000. */
  claimMs?: number
  /** Unix milliseconds. */
  now?: () => number
  /** Milliseconds of a clock that nobody sets, and that goes on while the process is stopped. */
  monotonicNow?: () => number
}

/** What both homes have in common: when to renew, and what to make of the answers. */
export abstract class LeasedNodeDirectory extends EventEmitter<NodeDirectoryEvents> implements NodeDirectory {
  self: Member
  private known: readonly Member[] = []
  private byKey: ReadonlyMap<string, Member> = new Map()
  /** It joins, or has joined, and has not left. */
  private isIn = false
  private nextIncarnation = 0
  private readonly processId = randomUUID()
  private mustReset = false
  private running?: Promise<void>
  private next?: Promise<void>
  private timer?: NodeJS.Timeout
  /** When the last renewal that worked was sent, by the monotonic clock. */
  private renewedAt = 0
  /** The store did not answer the last renewal: its part with the leases may be gone. */
  private hasFailed = false
  private claimed?: { claim: Claim, at: number }
  /** When other members with this node's id were first seen; Infinity: reported. */
  private readonly namesakes = new Map<string, number>()
  private readonly endpoint: () => string
  private readonly leaseMs: number
  private readonly renewMs: number
  private readonly claimMs: number
  private readonly now: () => number
  private readonly monotonicNow: () => number

  constructor ({ nodeId, endpoint, leaseMs, renewMs, claimMs, now, monotonicNow }: NodeDirectoryOptions) {
    super()
    this.self = { key: memberKeyOf(nodeId, 0), nodeId, incarnation: 0, endpoint: '', isDraining: false }
    this.endpoint = endpoint
    this.leaseMs = leaseMs
    this.renewMs = renewMs ?? Math.min(MAX_RENEW_MS, leaseMs / RENEWALS_PER_LEASE)
    this.claimMs = claimMs ?? CLAIM_MS
    this.now = now ?? Date.now
    this.monotonicNow = monotonicNow ?? (() => performance.now())
  }

  /** Renews the lease, or joins; only reads where `renewal` is undefined. */
  protected abstract renew (renewal: Renewal | undefined): Promise<LeaseView>

  /** Ends the lease. */
  protected abstract end (memberKey: string): Promise<void>

  /** The remains are removed. Nothing happens where another has taken over, or there may be more by now. */
  protected abstract settle (claim: Claim): Promise<void>

  /** Whether the store answers, as far as is known. */
  protected abstract readonly isReachable: boolean

  get isStale (): boolean {
    const isOverdue = this.monotonicNow() - this.renewedAt > this.leaseMs
    return isOverdue && this.isIn && this.isReachable && !this.hasFailed
  }

  members (): readonly Member[] {
    return this.known
  }

  get (key: string): Member | undefined {
    return this.byKey.get(key)
  }

  async join (): Promise<void> {
    this.self = { ...this.self, endpoint: this.endpoint() }
    this.isIn = true
    try {
      await this.refresh()
    } catch (error) {
      this.isIn = false
      throw error
    }
    this.timer ??= setInterval(() => {
      if (this.running === undefined) this.refreshSoon()
    }, this.renewMs).unref()
  }

  refresh (): Promise<void> {
    if (this.next !== undefined) return this.next
    if (this.running === undefined) return this.start()
    // The running one may have read before that happened for which the caller wants to know the members.
    this.next = this.running.then(() => this.start(), () => this.start())
    return this.next
  }

  async drain (): Promise<void> {
    this.self = { ...this.self, isDraining: true }
    await this.refresh()
  }

  async leave (): Promise<void> {
    if (!this.isIn) return
    this.isIn = false
    this.close()
    // A renewal on its way would bring this node back.
    await Promise.allSettled([this.running, this.next])
    this.publish(this.known.filter(member => !this.isSelf(member)))
    await this.end(this.self.key)
  }

  async buried (memberKey: string): Promise<void> {
    if (this.claimed?.claim.memberKey !== memberKey) return
    const { claim } = this.claimed
    this.claimed = undefined
    await this.settle(claim)
  }

  close (): void {
    clearInterval(this.timer)
    this.timer = undefined
  }

  /** Renews without being asked; says so where it fails. */
  protected refreshSoon (): void {
    this.refresh().catch(error => this.emit('renewalFailed', error))
  }

  /** What was in the store may be gone, even where the lease is not. */
  protected storeWasReplaced (): void {
    this.mustReset = true
    this.refreshSoon()
  }

  private start (): Promise<void> {
    this.next = undefined
    const running: Promise<void> = this.renewOnce().finally(() => { this.running = undefined })
    this.running = running
    return running
  }

  private async renewOnce (): Promise<void> {
    const sentAt = this.monotonicNow()
    if (!this.isIn) {
      this.learn((await this.renew(undefined)).members, sentAt)
      return
    }
    const { nodeId, incarnation, endpoint, isDraining } = this.self
    // Not chosen anew when a join is tried again: it may have worked the first time.
    if (this.nextIncarnation <= incarnation) this.nextIncarnation = Math.max(Math.floor(this.now()), incarnation + 1)
    const view = await this.renew({
      nodeId,
      incarnation,
      nextIncarnation: this.nextIncarnation,
      processId: this.processId,
      endpoint,
      isDraining,
      leaseMs: this.leaseMs,
      claimMs: this.claimMs,
      mayClaim: this.mayClaim(sentAt),
    }).catch(error => {
      // Asking again for every message would only make each of them wait. It is we who stood still where it took long.
      this.hasFailed = this.monotonicNow() - sentAt < this.leaseMs
      throw error
    })
    this.renewedAt = sentAt
    this.hasFailed = false
    const isReset = this.takePlace(view.incarnation)
    this.learn(view.members, sentAt)
    if (isReset) this.emit('reset')
    if (view.claim !== undefined) {
      this.claimed = { claim: view.claim, at: sentAt }
      this.emit('abandoned', view.claim.memberKey)
    }
  }

  /** Whether this node must say again what others know of it. */
  private takePlace (incarnation: number): boolean {
    const { self } = this
    const isReset = self.incarnation > 0 && (this.mustReset || incarnation !== self.incarnation)
    this.mustReset = false
    if (incarnation !== self.incarnation) {
      this.publish(this.known.filter(member => !this.isSelf(member)))
      this.self = { ...self, incarnation, key: memberKeyOf(self.nodeId, incarnation) }
    }
    return isReset
  }

  /** One burial at a time, so that the work after a large failure is spread over those who are left. */
  private mayClaim (now: number): boolean {
    if (this.claimed !== undefined && now - this.claimed.at >= this.claimMs) this.claimed = undefined
    return this.claimed === undefined && !this.self.isDraining
  }

  private learn (members: readonly Member[], now: number): void {
    const before = this.byKey
    this.publish(members
      .map(member => this.unlessChanged(member))
      .sort((one, other) => one.key < other.key ? -1 : 1))
    for (const member of before.values()) {
      if (member.nodeId === this.self.nodeId && !this.byKey.has(member.key)) this.namesakes.delete(member.key)
      if (!this.isSelf(member) && !this.byKey.has(member.key)) this.emit('left', member)
    }
    for (const member of this.known) {
      if (!this.isSelf(member) && !before.has(member.key)) this.emit('joined', member)
    }
    this.watchNamesakes(now)
  }

  private unlessChanged (member: Member): Member {
    if (this.isSelf(member)) return this.self
    const known = this.byKey.get(member.key)
    return known?.endpoint === member.endpoint && known.isDraining === member.isDraining ? known : member
  }

  private publish (members: readonly Member[]): void {
    const { known } = this
    if (members.length === known.length && members.every((member, index) => member === known[index])) return
    this.known = members
    this.byKey = new Map(members.map(member => [member.key, member]))
  }

  private isSelf ({ key }: Member): boolean {
    return key === this.self.key
  }

  private watchNamesakes (now: number): void {
    for (const member of this.known) {
      if (member.nodeId !== this.self.nodeId || this.isSelf(member)) continue
      const since = this.namesakes.get(member.key) ?? now
      const isReported = now - since > this.leaseMs
      this.namesakes.set(member.key, isReported ? Infinity : since)
      if (isReported) this.emit('namesake', member)
    }
  }
}
