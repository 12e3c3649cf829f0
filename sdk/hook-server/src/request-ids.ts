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

/**
 * In the memory of this process, bounded. Where it is full the oldest calls are forgotten, and from then on calls as
 * old as those are refused: the time that a call may be old gets shorter, and still none is answered twice.
 */
export class RequestIdMemory implements RequestIds {
  /** Calls forgotten because there was no room. */
  evicted = 0
  private readonly slices = new Map<number, Set<string>>()
  private count = 0
  /** Nothing of this slice or an older one is accepted. */
  private forgotten = -Infinity

  constructor (private readonly max: number, private readonly now: () => number = Date.now) {}

  get size (): number {
    return this.count
  }

  add (tenantId: string, requestId: string, expiresAt: number): boolean {
    const slice = Math.floor(expiresAt / SLICE_MS)
    this.forgetExpired()
    // The length keeps two pairs of ids apart that read the same one after the other.
    const key = `${tenantId.length} ${tenantId}${requestId}`
    if (slice <= this.forgotten || this.slices.get(slice)?.has(key) === true) return false
    if (this.count >= this.max) this.evict()
    if (slice <= this.forgotten) return false
    let ids = this.slices.get(slice)
    if (ids === undefined) this.slices.set(slice, ids = new Set())
    ids.add(key)
    this.count++
    return true
  }

  private forgetExpired (): void {
    const expired = Math.floor(this.now() / SLICE_MS) - 1
    if (expired <= this.forgotten) return
    this.forgotten = expired
    for (const [slice, ids] of this.slices) {
      if (slice <= expired) this.drop(slice, ids)
    }
  }

  private evict (): void {
    const oldest = Math.min(...this.slices.keys())
    const ids = this.slices.get(oldest) as Set<string>
    this.evicted += ids.size
    this.forgotten = oldest
    this.drop(oldest, ids)
  }

  private drop (slice: number, ids: Set<string>): void {
    this.slices.delete(slice)
    this.count -= ids.size
  }
}
