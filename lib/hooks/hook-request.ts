import { int64Size, stringSize, varintSize, writeInt64, writeString, writeVarint } from '../protocol/wire-writer.js'
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

// (field number << 3) | wire type, of `meta`, which every hook request has as field 1, and of what is in it.
const META = 1 << 3 | 2
const TENANT_ID = 1 << 3 | 2
const REQUEST_ID = 2 << 3 | 2
const TIMESTAMP_MS = 3 << 3
const SIGN = 4 << 3 | 2
const TRACE_ID = 5 << 3 | 2

/**
 * A hook request ready to POST: `meta`, followed by the serialized other fields, which are encoded once although the
 * signature covers them too. By hand, because a tenant may want one for every message.
 * @param fields the request serialized without `meta`
 * @param secret empty: unsigned
 */
export function encodeHookRequest (meta: RequestMeta, fields: Uint8Array, secret: string): SignedRequest {
  if (secret === '') {
    return { body: encoded(meta, '', fields), headers: { 'content-type': 'application/protobuf' } }
  }
  const sign = signRequest(secret, encoded(meta, '', fields), meta.requestId, meta.timestampMs)
  const body = encoded(meta, sign, fields)
  return {
    body,
    headers: {
      'content-type': 'application/protobuf',
      'x-mics-timestamp': String(meta.timestampMs),
      'x-mics-signature': signBody(secret, meta.timestampMs, body),
    },
  }
}

function encoded (meta: RequestMeta, sign: string, fields: Uint8Array): Buffer {
  const { tenantId, requestId, traceId, timestampMs } = meta
  const length = stringSize(tenantId) + stringSize(requestId) + int64Size(timestampMs) + stringSize(sign) +
    stringSize(traceId)
  const out = Buffer.allocUnsafe(1 + varintSize(length) + length + fields.length)
  out[0] = META
  let pos = writeVarint(out, 1, length)
  pos = writeString(out, pos, TENANT_ID, tenantId)
  pos = writeString(out, pos, REQUEST_ID, requestId)
  pos = writeInt64(out, pos, TIMESTAMP_MS, timestampMs)
  pos = writeString(out, pos, SIGN, sign)
  pos = writeString(out, pos, TRACE_ID, traceId)
  out.set(fields, pos)
  // It comes uninitialised: one that was not filled exactly would send other people's data.
  if (pos + fields.length !== out.length) throw new Error(`encoded ${pos + fields.length} bytes where ${out.length} were counted`)
  return out
}
