/** Bytes that tenants hold of something at once, within a bound for each and one for all. */
export class TenantBytes {
  private readonly held = new Map<string, number>()
  /** Bytes held now, by all. */
  total = 0

  constructor (private readonly maxPerTenant: number, private readonly max = Infinity) {}

  /**
   * Room for so many bytes. True: it must be given back with `release`. False: there is none. What a tenant holds alone
   * may be larger than its bound: whoever asks has a bound for a single one.
   */
  reserve (tenantId: string, bytes: number): boolean {
    const held = this.held.get(tenantId) ?? 0
    if (held > 0 && held + bytes > this.maxPerTenant) return false
    if (this.total > 0 && this.total + bytes > this.max) return false
    this.held.set(tenantId, held + bytes)
    this.total += bytes
    return true
  }

  release (tenantId: string, bytes: number): void {
    this.total -= bytes
    const left = (this.held.get(tenantId) ?? 0) - bytes
    if (left > 0) this.held.set(tenantId, left)
    else this.held.delete(tenantId)
  }
}
