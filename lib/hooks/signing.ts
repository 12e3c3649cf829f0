import { createHmac } from 'node:crypto'

/**
 * `HookMeta.sign`: Base64 of HMAC-SHA256 over the request serialized with `sign` empty, the request id in UTF-8, and
 * the meta's timestamp as 8 bytes little-endian, signed.
 */
export function signRequest (secret: string, unsigned: Uint8Array, requestId: string, timestampMs: bigint): string {
  const timestamp = Buffer.allocUnsafe(8)
  timestamp.writeBigInt64LE(timestampMs)
  return createHmac('sha256', secret).update(unsigned).update(requestId).update(timestamp).digest('base64')
}

/**
 * The `x-mics-signature` header: hex of HMAC-SHA256 over `<timestamp_ms>.<raw body>`, so that a server can verify the
 * bytes it received without encoding them anew.
 */
export function signBody (secret: string, timestampMs: bigint, body: Uint8Array): string {
  return 'v1=' + createHmac('sha256', secret).update(`${timestampMs}.`).update(body).digest('hex')
}
