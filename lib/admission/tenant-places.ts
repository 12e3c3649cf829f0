/**
 * How many connections each tenant has, over all members. Both homes keep these sentences:
 * - At a limit no place is given, whichever member asks.
 * - What a dead member had counts for no longer than its lease.
 */
export interface TenantPlaces {
  /** Takes a place for one connection. False: the limit is reached. `limit` 0: none. Never rejects. */
  take (tenantId: string, limit: number): boolean | Promise<boolean>
  /** Gives a place back. */
  release (tenantId: string): void
  /** What others know of this member may be gone: says again how many places it has taken. */
  assert (): Promise<void>
}
