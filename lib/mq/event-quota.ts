/** Of events that were taken and are neither published nor dropped yet. */
export interface EventLimits {
  maxEvents: number
  maxBytes: number
  maxEventsPerTenant: number
  maxBytesPerTenant: number
}

export type QuotaRefusal = 'queue_full' | 'node_full'

/** What a tenant has pending. */
export interface Pending {
  readonly events: number
  readonly bytes: number
}

const NOTHING: Pending = { events: 0, bytes: 0 }

/** Of the node's limits, set aside beyond them. */
const RESERVE_SHARE = 1 / 4

/** What a tenant may have pending and still take from the reserve. */
const RESERVE_EVENTS = 256
const RESERVE_BYTES = 1024 * 1024

/**
 * Whether one more event is taken: within the limits of its tenant and of the node.
 *
 * Where the node is full there is a reserve of a quarter more, for tenants that have little pending: fewer than 256
 * events and 1 MiB, and no more than what is left of the reserve. So tenants whose topics are broken leave room for
 * those whose topics work, however many they are, and all together are bounded still: each next tenant gets less, and
 * the last bit is never taken.
 */
export class EventQuota {
  events = 0
  bytes = 0

  constructor (private readonly limits: EventLimits) {}

  /**
   * Why an event is not taken. Where there is nothing else one is taken whatever its size: messages have a bound.
   * @param bytes of the event, at least
   */
  refusal (tenant: Pending = NOTHING, bytes: number): QuotaRefusal | undefined {
    const { maxEventsPerTenant, maxBytesPerTenant, maxEvents, maxBytes } = this.limits
    if (tenant.events > 0) {
      if (tenant.events >= maxEventsPerTenant || tenant.bytes + bytes > maxBytesPerTenant) return 'queue_full'
    }
    if (this.events === 0 || (this.events < maxEvents && this.bytes + bytes <= maxBytes)) return undefined
    return this.isInReserve(tenant, bytes) ? undefined : 'node_full'
  }

  take (bytes: number): void {
    this.events++
    this.bytes += bytes
  }

  release (bytes: number): void {
    this.events--
    this.bytes -= bytes
  }

  private isInReserve (tenant: Pending, bytes: number): boolean {
    const { maxEvents, maxBytes } = this.limits
    const eventsLeft = maxEvents + Math.ceil(maxEvents * RESERVE_SHARE) - this.events
    const bytesLeft = maxBytes * (1 + RESERVE_SHARE) - this.bytes
    return tenant.events < Math.min(RESERVE_EVENTS, eventsLeft) &&
      tenant.bytes + bytes <= (tenant.events === 0 ? bytesLeft : Math.min(RESERVE_BYTES, bytesLeft))
  }
}
