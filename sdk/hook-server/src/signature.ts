import { createHmac, timingSafeEqual } from 'node:crypto'
import type { Envelope } from './envelope.js'

/** Was `meta.sign` made with one of the secrets? */
export function metaSignMatches ({ meta, unsigned }: Envelope, secrets: readonly string[]): boolean {
  const time = Buffer.alloc(8)
  time.writeBigInt64LE(meta.timestampMs)
  return matches(meta.sign, secrets, secret => hmac(secret, [...unsigned, Buffer.from(meta.requestId), time], 'base64'))
}

/** Was `x-mics-signature` made with one of the secrets, for this body and `x-mics-timestamp`? */
export function headerSignatureMatches (
  signature: string, timestamp: string, body: Uint8Array, secrets: readonly string[]
): boolean {
  return matches(signature, secrets, secret => `v1=${hmac(secret, [Buffer.from(`${timestamp}.`), body], 'hex')}`)
}

/** Was the `sign` of an event made with one of the secrets? `unsigned`: the event without it, in pieces. */
export function eventSignMatches (sign: string, unsigned: readonly Uint8Array[], secrets: readonly string[]): boolean {
  return matches(sign, secrets, secret => hmac(secret, unsigned, 'base64'))
}

function hmac (secret: string, pieces: readonly Uint8Array[], encoding: 'base64' | 'hex'): string {
  const hash = createHmac('sha256', secret)
  for (const piece of pieces) hash.update(piece)
  return hash.digest(encoding)
}

/** In constant time, except for the length, which is public. All secrets are tried, whichever matches. */
function matches (given: string, secrets: readonly string[], sign: (secret: string) => string): boolean {
  const actual = Buffer.from(given)
  let found = false
  for (const secret of secrets) {
    const expected = Buffer.from(sign(secret))
    if (expected.length === actual.length && timingSafeEqual(expected, actual)) found = true
  }
  return found
}
