import { randomUUID } from 'node:crypto'
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { request } from 'undici'
import { AuthRequestSchema, AuthResponseSchema, type AuthResponse } from '../../../lib/gen/mics/hook/v1/hook_pb.js'
import { encodeHookRequest, type RequestMeta } from '../../../lib/hooks/hook-request.js'

export const SECRET = 'the-secret'

/** A hook request as the gateway would post it; a test may spoil it before it goes. */
export interface Call {
  path: string
  method: string
  headers: Record<string, string>
  body: Uint8Array
}

export interface Answer {
  status: number
  headers: Record<string, string | string[] | undefined>
  body: Buffer
  text: string
}

/** The gateway's own encoding of an `/auth` call, or of another whose fields are already encoded. */
export function callOf (
  meta: Partial<RequestMeta> = {},
  { secret = SECRET, path = '/auth', token = 'valid:alice', fields = authFields(token) }: {
    secret?: string, path?: string, token?: string, fields?: Uint8Array
  } = {}
): Call {
  const full = { tenantId: 't1', requestId: randomUUID(), traceId: 'trace-1', timestampMs: BigInt(Date.now()), ...meta }
  const { body, headers } = encodeHookRequest(full, fields, secret)
  return { path, method: 'POST', headers, body }
}

export async function send (baseUrl: string, { path, method, headers, body }: Call): Promise<Answer> {
  const hasBody = method !== 'GET' && method !== 'HEAD'
  const answer = await request(baseUrl + path, { method, headers, body: hasBody ? body : undefined })
  const bytes = Buffer.from(await answer.body.arrayBuffer())
  return { status: answer.statusCode, headers: answer.headers, body: bytes, text: bytes.toString() }
}

export function authAnswer ({ body }: Answer): AuthResponse {
  return fromBinary(AuthResponseSchema, body)
}

function authFields (token: string): Uint8Array {
  return toBinary(AuthRequestSchema, create(AuthRequestSchema, { token, deviceId: 'd1' }))
}
