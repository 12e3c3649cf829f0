/**
 * The cheapest possible hook server, so that a benchmark measures the gateway: knows everybody, allows everything.
 * Under /unchecked it tells the gateway not to call /check-message. The members of a group named 50 are the users 50-0
 * to 50-49. Prints its URL as its first line.
 */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import {
  AuthRequestSchema, AuthResponseSchema, CheckMessageResponseSchema, GetGroupMembersRequestSchema,
  GetGroupMembersResponseSchema,
} from '../lib/gen/mics/hook/v1/hook_pb.js'

const allowed = toBinary(CheckMessageResponseSchema, create(CheckMessageResponseSchema, { allow: true }))

function membersOf (request: Buffer): Uint8Array {
  const { groupId } = fromBinary(GetGroupMembersRequestSchema, request)
  const userIds = Array.from({ length: Number(groupId) }, (_, i) => `${groupId}-${i}`)
  return toBinary(GetGroupMembersResponseSchema, create(GetGroupMembersResponseSchema, { userIds }))
}

const server = createServer((request, response) => {
  const chunks: Buffer[] = []
  request.on('data', chunk => chunks.push(chunk))
  request.on('end', () => {
    if (request.url?.endsWith('/get-group-members') === true) return response.end(membersOf(Buffer.concat(chunks)))
    if (request.url?.endsWith('/auth') !== true) return response.end(allowed)
    const { token, deviceId } = fromBinary(AuthRequestSchema, Buffer.concat(chunks))
    response.end(toBinary(AuthResponseSchema, create(AuthResponseSchema, {
      ok: true,
      userId: token.replace('valid:', ''),
      deviceId,
      config: { checkMessageDisabled: request.url.startsWith('/unchecked'), hookMaxConcurrency: 256, hookQueueTimeoutMs: 100 },
    })))
  })
})
server.listen(0, '127.0.0.1', () => console.log(`http://127.0.0.1:${(server.address() as AddressInfo).port}`))
