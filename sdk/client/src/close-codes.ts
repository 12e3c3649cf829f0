/** Why a connection ended, and what a client does about it. */
export interface CloseCodeEntry {
  readonly name: string
  /** In words, for a log or a developer. */
  readonly meaning: string
  /** Whether to connect again by oneself. Where not, the same would only happen again until a person or app acts. */
  readonly reconnect: boolean
}

const entry = (name: string, meaning: string, reconnect: boolean): CloseCodeEntry => ({ name, meaning, reconnect })

/** By code: those of the gateway, and those of WebSocket that a client may see. */
export const closeCodes: Readonly<Record<number, CloseCodeEntry>> = {
  1000: entry('NORMAL', 'closed normally, by the client', false),
  1001: entry('GOING_AWAY', 'a proxy on the way goes away', true),
  1002: entry('PROTOCOL_ERROR', 'the client broke the WebSocket protocol', false),
  1006: entry('ABNORMAL', 'the connection broke without a word, or the upgrade was refused', true),
  1007: entry('INVALID_PAYLOAD', 'the client sent a text frame that is not UTF-8', false),
  1009: entry('TOO_LARGE', 'a frame was far too large', false),
  4001: entry('AUTH_FAILED', 'the token was refused, or token or deviceId is missing: get a new token', false),
  4002: entry('UNKNOWN_TENANT', 'there is no such tenant, or no longer, or tenantId is missing', false),
  4003: entry('DISCONNECTED_BY_TENANT', 'disconnected by the tenant', false),
  4100: entry('HEARTBEAT_TIMEOUT', 'no frame from the client within the tenant\'s window', true),
  4101: entry('SLOW_CONSUMER', 'the client did not read fast enough', true),
  4200: entry('DRAINING', 'this node is shutting down: another one answers, at once', true),
  4409: entry('REPLACED', 'replaced by a newer connection of the same device', false),
  4429: entry('CONNECTION_LIMIT', 'a connection limit of the tenant or of the user is reached', true),
  4503: entry('UNAVAILABLE', 'the gateway cannot authenticate or register now', true),
}

/** Looks a code up. One that is not known counts as passing. */
export function closeCodeOf (code: number): CloseCodeEntry {
  return closeCodes[code] ?? entry('UNKNOWN', `closed with ${code}, which this version does not know`, true)
}

/** Codes of the `error` frame: what is wrong with a frame that the client sent. The connection stays open. */
export const errorCodes: Readonly<Record<number, { readonly name: string, readonly meaning: string }>> = {
  4400: {
    name: 'NOT_A_CLIENT_FRAME',
    meaning: 'a frame was not protobuf, had nothing in it that the gateway knows, or was text',
  },
  4401: {
    name: 'FRAME_TOO_LARGE',
    meaning: 'a frame was more than 64 KiB larger than the largest body that the gateway takes',
  },
}
