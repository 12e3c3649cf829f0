/** What a client says of itself when it connects. Empty: not said. */
export interface ConnectParams {
  tenantId: string
  token: string
  deviceId: string
}

/** The subprotocol that the gateway speaks and answers with. */
export const SUBPROTOCOL = 'mics.v1'

/** The token may travel as a subprotocol, so that it stays out of access logs. */
const TOKEN_PREFIX = 'mics.token.'

/**
 * Reads the query and, for the token, the Sec-WebSocket-Protocol header, which goes first. Where a query parameter is
 * given several times, the last holds.
 */
export function connectParams (query: unknown, subprotocols: string | undefined): ConnectParams {
  const { tenantId, token, deviceId } = (query ?? {}) as Record<string, unknown>
  return {
    tenantId: text(tenantId),
    token: subprotocolToken(subprotocols) ?? text(token),
    deviceId: text(deviceId),
  }
}

function text (value: unknown): string {
  const last = Array.isArray(value) ? value.at(-1) : value
  return typeof last === 'string' ? last : ''
}

function subprotocolToken (header: string | undefined): string | undefined {
  const offered = header?.split(',').map(protocol => protocol.trim()).find(protocol => protocol.startsWith(TOKEN_PREFIX))
  return offered === undefined ? undefined : Buffer.from(offered.slice(TOKEN_PREFIX.length), 'base64url').toString()
}
