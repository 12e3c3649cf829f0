/** Close codes after which the same client would meet the same end: docs/protocol.md, "Close codes". */
const finalCodes = new Set([
  1000, // closed normally
  1002, 1007, 1009, // this client breaks the WebSocket protocol, or sends frames that are far too large
  4001, // authentication failed
  4002, // unknown tenant
  4003, // disconnected by the tenant
  4409, // replaced by a newer connection of the same device
])

/** The node is shutting down, and another one answers. */
const DRAINING = 4200

const FIRST_DELAY_MS = 1000
const LONGEST_DELAY_MS = 30_000

/** Codes that nobody knows yet count as passing. */
export function isFinal (closeCode: number): boolean {
  return finalCodes.has(closeCode)
}

/**
 * Milliseconds until the next attempt: random, so that the clients of a node do not all come back in one moment.
 * @param failures attempts since the last `connect_ack`, this one not counted
 * @param random from 0 to 1
 */
export function reconnectDelayMs (closeCode: number, failures: number, random: number): number {
  const longest = closeCode === DRAINING ? FIRST_DELAY_MS : Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** failures)
  return Math.round(random * longest)
}
