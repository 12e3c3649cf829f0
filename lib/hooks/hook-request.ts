import { create, toBinary } from '@bufbuild/protobuf'
import { HookMetaSchema } from '../gen/mics/hook/v1/hook_pb.js'
import { signBody, signRequest } from './signing.js'

export interface SignedRequest {
  body: Buffer
  headers: Record<string, string>
}

export interface RequestMeta {
  tenantId: string
  requestId: string
  traceId: string
  timestampMs: bigint
}

/** The number of `meta` in every hook request. */
const META_FIELD = 1

const WIRE_TYPE_LENGTH_DELIMITED = 2

/**
 * A hook request ready to POST. Every hook request has `meta` as field 1, so the body is that field followed by the
 * serialized other fields, which are encoded once although the signature covers them too.
 * @param fields the request serialized without `meta`
 * @param secret empty: unsigned
 */
export function encodeHookRequest (meta: RequestMeta, fields: Uint8Array, secret: string): SignedRequest {
  const hookMeta = create(HookMetaSchema, meta)
  const headers: Record<string, string> = { 'content-type': 'application/protobuf' }
  if (secret !== '') {
    const unsigned = withMeta(toBinary(HookMetaSchema, hookMeta), fields)
    hookMeta.sign = signRequest(secret, unsigned, meta.requestId, meta.timestampMs)
  }
  const body = withMeta(toBinary(HookMetaSchema, hookMeta), fields)
  if (secret !== '') {
    headers['x-mics-timestamp'] = String(meta.timestampMs)
    headers['x-mics-signature'] = signBody(secret, meta.timestampMs, body)
  }
  return { body, headers }
}

function withMeta (meta: Uint8Array, fields: Uint8Array): Buffer {
  return Buffer.concat([submessage(META_FIELD, meta), fields])
}

/** A submessage as a field: its tag, its length, its bytes. `field` is at most 15: a tag of one byte. */
export function submessage (field: number, bytes: Uint8Array): Buffer {
  const head: number[] = [field << 3 | WIRE_TYPE_LENGTH_DELIMITED]
  let length = bytes.length
  while (length > 0x7f) {
    head.push((length & 0x7f) | 0x80)
    length >>>= 7
  }
  head.push(length)
  return Buffer.concat([Buffer.from(head), bytes])
}
