/**
 * Messages a second of each tenant, over all of its clients in the cluster. Both homes keep these sentences:
 * - Under a load above the limit, what passes in the long run is the limit (on Redis within 5 %, over all members).
 * - A burst of one second's worth passes after a pause.
 * - What passes for one tenant passes in the order asked.
 */
export interface RateLimit {
  /** Whether the tenant may send one more message now. `qps` 0: always. Never rejects. */
  take (tenantId: string, qps: number): boolean | Promise<boolean>
  forget (tenantId: string): void
}
