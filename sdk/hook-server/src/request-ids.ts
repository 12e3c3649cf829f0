/** Remembers which calls were answered, so that a recorded one cannot be sent again. */
export interface RequestIds {
  /**
   * Remembers the call until `expiresAt` (Unix milliseconds). False where it was remembered already, or where that
   * cannot be known: then the call is refused. In Redis: `SET key 1 NX PXAT expiresAt`.
   */
  add (tenantId: string, requestId: string, expiresAt: number): boolean | Promise<boolean>
}

/** Milliseconds of calls that are forgotten together. */
const SLICE_MS = 1000

/** Calls of one tenant. */
interface TenantCalls {
  /** By the second in which they expire. */
  readonly slices: Map<number, Set<string>>
  count: number
  /** Nothing of this slice or an older one is accepted. */
  forgotten: number
}

/**
 * In the memory of this process, bounded. Where it is full the oldest calls of the tenant with the most are forgotten,
 * and from then on calls of that tenant as old as those are refused: the time that its calls may be old gets shorter,
 * and still none is answered twice. The other tenants notice nothing of it.
 */
export class RequestIdMemory implements RequestIds {
  /** Calls forgotten because there was no room. */
  evicted = 0
  private readonly tenants = new Map<string, TenantCalls>()
  private count = 0
  /** Nothing of this slice or an older one is accepted of any tenant. */
  private expired = -Infinity

  constructor (private readonly max: number, private readonly now: () => number = Date.now) {}

  get size (): number {
    return this.count
  }

  add (tenantId: string, requestId: string, expiresAt: number): boolean {
    const slice = Math.floor(expiresAt / SLICE_MS)
    this.forgetExpired()
    if (slice <= this.expired) return false
    const calls = this.callsOf(tenantId)
    if (slice <= calls.forgotten || calls.slices.get(slice)?.has(requestId) === true) return false
    if (this.count >= this.max) this.evict(calls)
    if (slice <= calls.forgotten) return false
    const ids = calls.slices.get(slice)
    if (ids === undefined) calls.slices.set(slice, new Set([requestId]))
    else ids.add(requestId)
    calls.count++
    this.count++
    return true
  }

  private callsOf (tenantId: string): TenantCalls {
    let calls = this.tenants.get(tenantId)
    if (calls !== undefined) return calls
    // No more tenants than calls: of the first that has none left, what was forgotten is then forgotten of all.
    if (this.tenants.size >= this.max) {
      for (const [id, { count, forgotten }] of this.tenants) {
        if (count > 0) continue
        this.tenants.delete(id)
        this.expired = Math.max(this.expired, forgotten)
        break
      }
    }
    calls = { slices: new Map(), count: 0, forgotten: this.expired }
    this.tenants.set(tenantId, calls)
    return calls
  }

  private forgetExpired (): void {
    const expired = Math.floor(this.now() / SLICE_MS) - 1
    if (expired <= this.expired) return
    this.expired = expired
    for (const [tenantId, calls] of this.tenants) {
      for (const slice of calls.slices.keys()) {
        if (slice <= expired) this.drop(calls, slice)
      }
      if (calls.count === 0 && calls.forgotten <= expired) this.tenants.delete(tenantId)
    }
  }

  /** Makes room at the cost of the tenant that has the most, which may be the one that asks. */
  private evict (asking: TenantCalls): void {
    let most = asking
    for (const calls of this.tenants.values()) {
      if (calls.count > most.count) most = calls
    }
    const oldest = Math.min(...most.slices.keys())
    this.evicted += most.slices.get(oldest)?.size ?? 0
    most.forgotten = oldest
    this.drop(most, oldest)
  }

  private drop (calls: TenantCalls, slice: number): void {
    const { size } = calls.slices.get(slice) as Set<string>
    calls.slices.delete(slice)
    calls.count -= size
    this.count -= size
  }
}
