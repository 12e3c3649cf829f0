import { TokenBucket } from '../rate-limit/token-bucket.js'

/**
 * Sheds a reconnect storm before it reaches the auth hooks: a bound on handshakes a second and on handshakes in
 * progress, of the node and, at half of it, of each tenant, so that one tenant's storm leaves room for the others.
 */
export class HandshakeGate {
  inProgress = 0
  private readonly nodeBucket: TokenBucket
  private readonly tenants = new Map<string, { inProgress: number, bucket: TokenBucket }>()

  constructor (
    private readonly maxPerSecond: number,
    private readonly maxInProgress: number,
    private readonly now: () => number = Date.now
  ) {
    this.nodeBucket = new TokenBucket(maxPerSecond, now)
  }

  /** Whether a handshake of the tenant may begin; then `leave` must be called when it has ended, either way. */
  enter (tenantId: string): boolean {
    const tenantRate = Math.max(this.maxPerSecond / 2, 1)
    let tenant = this.tenants.get(tenantId)
    if (tenant === undefined) {
      tenant = { inProgress: 0, bucket: new TokenBucket(tenantRate, this.now) }
      this.tenants.set(tenantId, tenant)
    }
    const tenantMaxInProgress = Math.max(Math.floor(this.maxInProgress / 2), 1)
    if (tenant.inProgress >= tenantMaxInProgress || this.inProgress >= this.maxInProgress) return false
    // The tenant's own bucket first: what it refuses must not use up the node's.
    if (!tenant.bucket.take(tenantRate) || !this.nodeBucket.take(this.maxPerSecond)) return false
    tenant.inProgress++
    this.inProgress++
    return true
  }

  leave (tenantId: string): void {
    this.inProgress--
    const tenant = this.tenants.get(tenantId)
    if (tenant !== undefined) tenant.inProgress--
  }
}
