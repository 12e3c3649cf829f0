import type { TenantSettings } from '../config/gateway-config.js'
import type { Connections } from '../connections/connections.js'

/** Which limit keeps a connection out, or undefined where none does. */
export type Refusal = 'tenant_connections' | 'user_connections' | undefined

/**
 * The connection limits of tenant and user. A device that is connected already takes its own place again, so a device
 * that reconnects is never kept out by its dead connection.
 */
export function refuseConnection (
  connections: Connections, tenantId: string, userId: string, deviceId: string, settings: TenantSettings
): Refusal {
  if (connections.ofDevice(tenantId, userId, deviceId) !== undefined) return undefined
  const { tenantMaxConnections, userMaxConnections } = settings
  if (tenantMaxConnections > 0 && connections.countOfTenant(tenantId) >= tenantMaxConnections) return 'tenant_connections'
  if (userMaxConnections > 0 && connections.ofUser(tenantId, userId).length >= userMaxConnections) return 'user_connections'
  return undefined
}
