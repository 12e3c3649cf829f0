/** Why the gateway closes a connection. The one table; docs/protocol.md tells clients the same. */
export const CloseCode = {
  NORMAL: 1000,
  AUTH_FAILED: 4001,
  UNKNOWN_TENANT: 4002,
  DISCONNECTED_BY_TENANT: 4003,
  HEARTBEAT_TIMEOUT: 4100,
  SLOW_CONSUMER: 4101,
  DRAINING: 4200,
  REPLACED: 4409,
  CONNECTION_LIMIT: 4429,
  UNAVAILABLE: 4503,
} as const

export type CloseCode = typeof CloseCode[keyof typeof CloseCode]

/** RFC 6455, 5.5: a control frame carries 125 bytes, 2 of them the code. */
const MAX_REASON_BYTES = 123

/** `reason` cut to what a close frame can carry, never inside a character. */
export function closeReason (reason: string): string {
  const bytes = Buffer.from(reason)
  if (bytes.length <= MAX_REASON_BYTES) return bytes.toString()
  let end = MAX_REASON_BYTES
  while ((bytes[end] & 0xc0) === 0x80) end--
  return bytes.toString('utf8', 0, end)
}
