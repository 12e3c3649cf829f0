/**
 * How many connections each tenant has, over all members. Both homes keep these sentences:
 * - At a limit no place is given, whichever member asks; below it one is.
 * - What a member that is not in the node directory had counts for nothing.
 */
export interface TenantPlaces {
  /**
   * Takes a place for one connection. False: the limit is reached. Never rejects.
   * @param limit 0: a place in any case, such as for a device that is connected already
   */
  take (tenantId: string, limit: number): boolean | Promise<boolean>
  /** Gives a place back. */
  release (tenantId: string): void
  /**
   * What others know of this member may be gone: says again how many places it has taken. Rejects when the store cannot
   * be reached.
   */
  assert (): Promise<void>
  /**
   * Removes what a dead member has left behind; it has not counted since it died. Rejects when the store cannot be
   * reached.
   */
  bury (memberKey: string, tenantIds: Iterable<string>): Promise<void>
}
