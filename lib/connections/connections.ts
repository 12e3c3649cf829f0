import type { Session } from '../session/session.js'

const NONE: readonly Session[] = []

interface TenantConnections {
  users: Map<string, readonly Session[]>
  count: number
}

/**
 * The clients connected to this node. A user's list is replaced, never changed, so that it may be walked while
 * sending: a send can close a connection.
 */
export class Connections {
  private readonly tenants = new Map<string, TenantConnections>()

  /** All connections of this node. */
  count = 0

  /** Connections that have been removed and whose sockets have not ended: some of what they were sent may come back. */
  ending = 0

  /** The user's connections, one per device. */
  ofUser (tenantId: string, userId: string): readonly Session[] {
    return this.tenants.get(tenantId)?.users.get(userId) ?? NONE
  }

  ofDevice (tenantId: string, userId: string, deviceId: string): Session | undefined {
    return this.ofUser(tenantId, userId).find(session => session.deviceId === deviceId)
  }

  countOfTenant (tenantId: string): number {
    return this.tenants.get(tenantId)?.count ?? 0
  }

  /** All connections of a tenant, or of the node. A snapshot. */
  list (tenantId?: string): Session[] {
    const tenants = tenantId === undefined ? [...this.tenants.values()] : [this.tenants.get(tenantId)]
    return tenants.flatMap(tenant => [...tenant?.users.values() ?? []].flat())
  }

  /** Adds a connection in the place of its device's former one, if there is one: at no moment is neither in place. */
  add (session: Session): void {
    const { tenantId, userId, deviceId } = session
    let tenant = this.tenants.get(tenantId)
    if (tenant === undefined) this.tenants.set(tenantId, tenant = { users: new Map(), count: 0 })
    const before = tenant.users.get(userId) ?? NONE
    const others = before.filter(other => other.deviceId !== deviceId)
    tenant.users.set(userId, [...others, session])
    this.changeCount(tenant, others.length + 1 - before.length)
  }

  /** Removes a connection; nothing happens where it was replaced or removed before. */
  remove (session: Session): void {
    const { tenantId, userId } = session
    const tenant = this.tenants.get(tenantId)
    const before = tenant?.users.get(userId)
    if (tenant === undefined || before === undefined || !before.includes(session)) return
    if (before.length === 1) tenant.users.delete(userId)
    else tenant.users.set(userId, before.filter(other => other !== session))
    this.changeCount(tenant, -1)
    if (tenant.count === 0) this.tenants.delete(tenantId)
  }

  private changeCount (tenant: TenantConnections, by: number): void {
    tenant.count += by
    this.count += by
  }
}
