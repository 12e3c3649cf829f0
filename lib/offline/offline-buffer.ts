import { noteRecipient } from '../message-trace/note.js'
import type { GatewayMetrics } from '../metrics/gateway-metrics.js'
import type { OfflineEviction } from '../metrics/tenant-metrics.js'
import { EntryList } from './entry-list.js'
import type { OfflineEntry } from './offline-entry.js'

export interface OfflineLimits {
  maxMessagesPerUser: number
  /** Of msg_body. */
  maxBytesPerUser: number
  maxUsersPerTenant: number
  maxBytesPerTenant: number
  maxBytes: number
}

/** Memory of an entry beside its body, for the limits of tenant and node: objects, ids, list links. */
const ENTRY_OVERHEAD_BYTES = 512

interface UserBuffer {
  /** In the order of delivery. */
  entries: OfflineEntry[]
  bodyBytes: number
}

class TenantBuffer {
  readonly users = new Map<string, UserBuffer>()
  readonly arrivals = new EntryList()
  bytes = 0
}

/**
 * Messages for users who are not connected, in this node's memory, for a short time. Bounded per user, per tenant and
 * for the node; beyond a bound the oldest give way to the newest. At the node's bound the tenant that holds the most
 * gives, so that no tenant loses messages to another's flood.
 */
export class OfflineBuffer {
  private readonly tenants = new Map<string, TenantBuffer>()
  private totalBytes = 0

  /** Messages held now. */
  size = 0

  /** Called when the number of messages held for a user has changed. */
  onChange: (tenantId: string, userId: string) => void = () => {}

  constructor (
    private readonly limits: OfflineLimits,
    private readonly metrics: GatewayMetrics,
    private readonly now: () => number = Date.now
  ) {}

  /**
   * Keeps an entry. False: the buffer is switched off, or the message alone passes a limit. One that is here already,
   * because it came from two nodes, is not kept twice.
   */
  add (entry: OfflineEntry): boolean {
    const { limits } = this
    if (this.has(entry)) return true
    const bodyBytes = entry.delivery.message.msgBody.length
    if (limits.maxMessagesPerUser === 0 || bodyBytes > limits.maxBytesPerUser) return false
    if (sizeOf(entry) > Math.min(limits.maxBytesPerTenant, limits.maxBytes)) return false
    entry.delivery.keep()
    let tenant = this.tenants.get(entry.tenantId)
    if (tenant === undefined) this.tenants.set(entry.tenantId, tenant = new TenantBuffer())
    this.insert(tenant, entry)
    const user = tenant.users.get(entry.userId) as UserBuffer
    while (user.entries.length > limits.maxMessagesPerUser || user.bodyBytes > limits.maxBytesPerUser) {
      this.evict(user.entries[0], 'user_limit')
    }
    if (tenant.users.size > limits.maxUsersPerTenant) this.evictUser(tenant, tenant.arrivals.oldest as OfflineEntry)
    while (tenant.bytes > limits.maxBytesPerTenant) {
      this.evict(tenant.arrivals.oldest as OfflineEntry, 'tenant_limit')
    }
    while (this.totalBytes > limits.maxBytes) {
      const heaviest = this.heaviestTenant()
      this.evict(heaviest.arrivals.oldest as OfflineEntry, 'node_limit')
    }
    return true
  }

  /**
   * The next message for a device, oldest first, if there is one. Whoever removes it puts it back with `add` should the
   * device's socket not take it.
   * @param isOnline whether another device of the user is connected
   */
  peek (
    tenantId: string, userId: string, deviceId: string, isOnline: (deviceId: string) => boolean
  ): OfflineEntry | undefined {
    const tenant = this.tenants.get(tenantId)
    const entries = tenant?.users.get(userId)?.entries
    if (tenant === undefined || entries === undefined) return undefined
    const now = this.now()
    for (let i = 0; i < entries.length;) {
      const entry = entries[i]
      if (entry.expiresAt <= now) {
        this.evict(entry, 'expired')
      } else if (isFor(entry, deviceId, isOnline)) {
        return entry
      } else {
        i++
      }
    }
    return undefined
  }

  /** Takes an entry out that is in. */
  remove (entry: OfflineEntry): void {
    const tenant = this.tenants.get(entry.tenantId) as TenantBuffer
    const user = tenant.users.get(entry.userId) as UserBuffer
    user.entries.splice(user.entries.indexOf(entry), 1)
    user.bodyBytes -= entry.delivery.message.msgBody.length
    if (user.entries.length === 0) tenant.users.delete(entry.userId)
    tenant.arrivals.remove(entry)
    this.account(tenant, entry, -1)
    if (tenant.users.size === 0) this.tenants.delete(entry.tenantId)
  }

  /** All that is here for a user, in the order of delivery. What has expired is dropped. */
  entriesOf (tenantId: string, userId: string): readonly OfflineEntry[] {
    const now = this.now()
    const entries = [...this.tenants.get(tenantId)?.users.get(userId)?.entries ?? []]
    for (const entry of entries) if (entry.expiresAt <= now) this.evict(entry, 'expired')
    return entries.filter(({ expiresAt }) => expiresAt > now)
  }

  /** How many messages are here for a user, expired or for another device included. */
  countOf (tenantId: string, userId: string): number {
    return this.tenants.get(tenantId)?.users.get(userId)?.entries.length ?? 0
  }

  /** Everybody who has something here. A snapshot. */
  users (): Array<{ tenantId: string, userId: string }> {
    return [...this.tenants].flatMap(([tenantId, { users }]) => [...users.keys()].map(userId => ({ tenantId, userId })))
  }

  /** Whether the user has anything here, expired or for another device included. */
  holdsFor (tenantId: string, userId: string): boolean {
    return this.tenants.get(tenantId)?.users.has(userId) ?? false
  }

  /** Drops what has expired, as far as it is at the old end of its tenant's list; `peek` checks each entry anyway. */
  sweep (): void {
    const now = this.now()
    for (const tenant of this.tenants.values()) {
      this.evictWhile(tenant, oldest => oldest.expiresAt <= now, 'expired')
    }
  }

  removeTenant (tenantId: string): void {
    const tenant = this.tenants.get(tenantId)
    if (tenant !== undefined) this.evictWhile(tenant, () => true, 'tenant_removed')
  }

  private has ({ tenantId, userId, deviceId, delivery: { seq, message } }: OfflineEntry): boolean {
    const entries = this.tenants.get(tenantId)?.users.get(userId)?.entries ?? []
    for (let i = entries.length - 1; i >= 0 && entries[i].delivery.seq >= seq; i--) {
      const { deviceId: device, delivery: other } = entries[i]
      const isSame = other.seq === seq && other.message.msgId === message.msgId
      if (isSame && other.message.userId === message.userId && device === deviceId) return true
    }
    return false
  }

  private insert (tenant: TenantBuffer, entry: OfflineEntry): void {
    let user = tenant.users.get(entry.userId)
    if (user === undefined) tenant.users.set(entry.userId, user = { entries: [], bodyBytes: 0 })
    let at = user.entries.length
    while (at > 0 && user.entries[at - 1].delivery.seq > entry.delivery.seq) at--
    user.entries.splice(at, 0, entry)
    user.bodyBytes += entry.delivery.message.msgBody.length
    tenant.arrivals.append(entry)
    this.account(tenant, entry, 1)
  }

  private evictWhile (tenant: TenantBuffer, goes: (oldest: OfflineEntry) => boolean, reason: OfflineEviction): void {
    let oldest = tenant.arrivals.oldest
    while (oldest !== undefined && goes(oldest)) {
      this.evict(oldest, reason)
      oldest = tenant.arrivals.oldest
    }
  }

  /** All of a user's messages, and nobody else's. */
  private evictUser (tenant: TenantBuffer, { userId }: OfflineEntry): void {
    for (const entry of [...tenant.users.get(userId)?.entries ?? []]) this.evict(entry, 'tenant_limit')
  }

  private evict (entry: OfflineEntry, reason: OfflineEviction): void {
    this.remove(entry)
    noteRecipient(entry.delivery.message, 'dropped', reason, entry.userId)
    this.metrics.tenant(entry.tenantId).offlineEvicted.add(reason)
  }

  private account (tenant: TenantBuffer, entry: OfflineEntry, sign: 1 | -1): void {
    const bytes = sign * sizeOf(entry)
    tenant.bytes += bytes
    this.totalBytes += bytes
    this.size += sign
    const metrics = this.metrics.tenant(entry.tenantId)
    metrics.offlineMessages += sign
    metrics.offlineBytes += bytes
    this.onChange(entry.tenantId, entry.userId)
  }

  private heaviestTenant (): TenantBuffer {
    let heaviest: TenantBuffer | undefined
    for (const tenant of this.tenants.values()) {
      if (heaviest === undefined || tenant.bytes > heaviest.bytes) heaviest = tenant
    }
    return heaviest as TenantBuffer
  }
}

function isFor (entry: OfflineEntry, deviceId: string, isOnline: (deviceId: string) => boolean): boolean {
  if (entry.exceptDeviceId === deviceId) return false
  return entry.deviceId === '' || entry.deviceId === deviceId || (entry.anyDeviceInstead && !isOnline(entry.deviceId))
}

/** What an entry counts for tenant and node, in bytes. */
function sizeOf (entry: OfflineEntry): number {
  const { message } = entry.delivery
  return ENTRY_OVERHEAD_BYTES + message.msgBody.length + message.msgId.length + message.toUserId.length +
    message.groupId.length + entry.userId.length
}
