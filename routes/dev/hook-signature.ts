import { createHmac, timingSafeEqual } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import { toBinary, type DescMessage, type MessageShape } from '@bufbuild/protobuf'
import type { HookMeta } from '../../lib/gen/mics/hook/v1/hook_pb.js'

/*
 * The receiving side of "Signing" in docs/protocol.md, written as a tenant would write it: apart from the gateway's
 * own signing code on purpose, so that the demo shows when the two no longer agree.
 */

/**
 * Does `meta.sign` equal Base64(HMAC-SHA256(secret, request without sign ‖ request_id ‖ timestamp_ms))?
 * Encodes the request again, as every receiver without the raw bytes has to.
 */
export function metaSignMatches<Desc extends DescMessage> (
  secret: string, schema: Desc, request: MessageShape<Desc> & { meta?: HookMeta }
): boolean {
  const meta = request.meta
  if (meta === undefined || meta.sign === '') return false
  const unsigned = toBinary(schema, { ...request, meta: { ...meta, sign: '' } })
  const time = Buffer.alloc(8)
  time.writeBigInt64LE(meta.timestampMs)
  const expected = createHmac('sha256', secret).update(unsigned).update(meta.requestId).update(time).digest('base64')
  return equal(expected, meta.sign)
}

/**
 * Does `x-mics-signature` equal v1=<hex HMAC-SHA256(secret, x-mics-timestamp "." raw body)>? A gateway that sends
 * no such header is fine: `meta.sign` is the part of the contract that every gateway speaks.
 */
export function headerSignatureMatches (secret: string, headers: IncomingHttpHeaders, body: Uint8Array): boolean {
  const signature = headers['x-mics-signature']
  if (signature === undefined) return true
  const timestamp = headers['x-mics-timestamp']
  if (typeof signature !== 'string' || typeof timestamp !== 'string') return false
  const expected = `v1=${createHmac('sha256', secret).update(`${timestamp}.`).update(body).digest('hex')}`
  return equal(expected, signature)
}

/** In constant time, except for the length, which is public. */
function equal (expected: string, actual: string): boolean {
  const a = Buffer.from(expected)
  const b = Buffer.from(actual)
  return a.length === b.length && timingSafeEqual(a, b)
}
