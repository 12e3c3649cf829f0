/**
 * The cheapest possible hook server, so that a benchmark measures the gateway: knows everybody, allows everything. The
 * first part of the path says how the tenant is set up. The members of a group named g50 are the users g50-0 to g50-49.
 * Prints its URL as its first line.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { create, fromBinary, toBinary, type MessageInitShape } from '@bufbuild/protobuf'
import {
  AuthRequestSchema, AuthResponseSchema, CheckMessageResponseSchema, CheckMessagesResponseSchema,
  GetGroupMembersRequestSchema, GetGroupMembersResponseSchema, type TenantRuntimeConfigSchema,
} from '../lib/gen/mics/hook/v1/hook_pb.js'

type Config = MessageInitShape<typeof TenantRuntimeConfigSchema>

// A check that failed must not look like one that was fast.
const checked: Config = { checkMessageFailClosed: true, hookMaxConcurrency: 256, hookQueueTimeoutMs: 1000 }

const configs: Record<string, Config> = {
  unchecked: { checkMessageDisabled: true },
  checked,
  batched: { ...checked, checkBatchMaxMessages: 64 },
  'batched-2ms': { ...checked, checkBatchMaxMessages: 64, checkBatchMaxWaitMs: 2 },
  'at-most-2000': { checkMessageDisabled: true, tenantMaxMessageQps: 2000 },
  /** Never answers /check-message. Its breaker is as it is by default. */
  hanging: { hookMaxConcurrency: 32, hookQueueTimeoutMs: 10, hookBreakerFailureThreshold: 5, hookBreakerOpenMs: 5000 },
}

const allowed = toBinary(CheckMessageResponseSchema, create(CheckMessageResponseSchema, { allow: true }))
const oneAllowed = toBinary(CheckMessagesResponseSchema, create(CheckMessagesResponseSchema, {
  verdicts: [{ allow: true }],
}))
/** The tag of CheckMessagesRequest.messages. */
const MESSAGES = 2 << 3 | 2

const memberLists = new Map<string, Uint8Array>()

const server = createServer((request, response) => {
  const chunks: Buffer[] = []
  request.on('data', chunk => chunks.push(chunk))
  request.on('end', () => answer(request, Buffer.concat(chunks), response))
})

function answer ({ url = '' }: IncomingMessage, body: Buffer, response: ServerResponse): void {
  const [, tenant, hook] = url.split('/')
  if (hook === 'auth') response.end(auth(tenant, body))
  else if (hook === 'get-group-members') response.end(members(body))
  else if (hook === 'check-messages') response.end(verdicts(body))
  else if (hook !== 'check-message') response.writeHead(404).end()
  else if (tenant !== 'hanging') response.end(allowed)
}

function auth (tenant: string, body: Buffer): Uint8Array {
  const { token, deviceId } = fromBinary(AuthRequestSchema, body)
  return toBinary(AuthResponseSchema, create(AuthResponseSchema, {
    ok: true, userId: token.replace('valid:', ''), deviceId, config: configs[tenant],
  }))
}

function members (body: Buffer): Uint8Array {
  const { groupId } = fromBinary(GetGroupMembersRequestSchema, body)
  let list = memberLists.get(groupId)
  if (list === undefined) {
    const userIds = Array.from({ length: Number(groupId.slice(1)) }, (_, i) => `${groupId}-${i}`)
    list = toBinary(GetGroupMembersResponseSchema, create(GetGroupMembersResponseSchema, { userIds }))
    memberLists.set(groupId, list)
  }
  return list
}

/** Yes to each message, without looking into any. */
function verdicts (request: Buffer): Buffer {
  let count = 0
  for (let at = 0; at < request.length;) {
    if (request[at++] === MESSAGES) count++
    let size = 0
    for (let shift = 0; ; shift += 7) {
      const byte = request[at++]
      size |= (byte & 0x7f) << shift
      if (byte < 128) break
    }
    at += size
  }
  const response = Buffer.allocUnsafe(count * oneAllowed.length)
  for (let n = 0; n < count; n++) response.set(oneAllowed, n * oneAllowed.length)
  return response
}

server.keepAliveTimeout = 60_000
server.listen(0, '127.0.0.1', 4096, () => console.log(`http://127.0.0.1:${(server.address() as AddressInfo).port}`))
