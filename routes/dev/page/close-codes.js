// Why the gateway closes a connection, and whether coming back makes sense: the table of docs/protocol.md.
const table = {
  1000: ['closed normally', false],
  4001: ['authentication failed: get a new token', false],
  4002: ['unknown tenant', false],
  4003: ['disconnected by the tenant', false],
  4100: ['heartbeat timeout', true],
  4101: ['slow consumer: this page did not read fast enough', true],
  4200: ['this node is draining: another one answers', true],
  4409: ['replaced by a newer connection of the same device', false],
  4429: ['a connection limit is reached', true],
  4503: ['cannot authenticate now', true],
}

/** Codes that no gateway sends: the browser reports them when the connection broke or was never made. */
const browserCodes = {
  1001: 'the gateway went away',
  1005: 'closed without a code',
  1006: 'the connection broke, or the gateway is not reachable',
}

/** @param {number} code @returns {{ meaning: string, reconnect: boolean }} */
export function explainClose (code) {
  const [meaning, reconnect] = table[code] ?? [browserCodes[code] ?? 'unexpected close', true]
  return { meaning, reconnect }
}

export const closeCodes = Object.keys(table).map(Number)
