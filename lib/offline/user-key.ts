/** A user of a tenant, as the key of a map. */
export function keyOf (tenantId: string, userId: string): string {
  return `${tenantId}\0${userId}`
}
