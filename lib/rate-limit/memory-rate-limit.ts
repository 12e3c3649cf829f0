import type { RateLimit } from './rate-limit.js'
import { TokenBucket } from './token-bucket.js'

/** Messages a second of a tenant, where this node is the only one. */
export class MemoryRateLimit implements RateLimit {
  private readonly buckets = new Map<string, TokenBucket>()

  constructor (private readonly now: () => number = Date.now) {}

  /** Whether the tenant may send one more message now. `qps` 0: always. */
  take (tenantId: string, qps: number): boolean {
    if (qps === 0) return true
    let bucket = this.buckets.get(tenantId)
    if (bucket === undefined) this.buckets.set(tenantId, bucket = new TokenBucket(qps, this.now))
    return bucket.take(qps)
  }

  forget (tenantId: string): void {
    this.buckets.delete(tenantId)
  }
}
