import { createHmac, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { readFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { create, fromBinary, toBinary, type DescMessage, type MessageInitShape } from '@bufbuild/protobuf'
import type { Test } from 'tap'
import {
  AuthRequestSchema, AuthResponseSchema, CheckMessageRequestSchema, CheckMessageResponseSchema,
  CheckMessagesRequestSchema, CheckMessagesResponseSchema, GetGroupMembersRequestSchema, GetGroupMembersResponseSchema,
  GetOfflineMessagesRequestSchema, GetOfflineMessagesResponseSchema, type CheckVerdictSchema,
  type TenantRuntimeConfigSchema,
} from '../../lib/gen/mics/hook/v1/hook_pb.js'
import type { MessageRequest, MessageRequestSchema } from '../../lib/gen/mics/message/v1/message_pb.js'
import type { Certificate } from './certificate.js'

type Operation = 'auth' | 'check-message' | 'check-messages' | 'get-group-members' | 'get-offline-messages'

/** What a server does wrong; without any it does everything as the protocol asks. */
export interface Faults {
  /** Takes calls whatever their signature. */
  trusts?: boolean
  /** Takes calls that have none. */
  trustsUnsigned?: boolean
  takesOld?: boolean
  takesReplays?: boolean
  /** Bytes of a body. */
  maxBody?: number
  /** Answers itself, and says so by true. */
  intercept?: (operation: string, response: ServerResponse, body: Buffer, request: IncomingMessage) => boolean
  auth?: (token: string, deviceId: string) => MessageInitShape<typeof AuthResponseSchema>
  check?: () => MessageInitShape<typeof CheckMessageResponseSchema>
  /** The verdicts on several messages. Default: what `check` allows, without reasons. */
  checks?: (messages: MessageRequest[]) => MessageInitShape<typeof CheckVerdictSchema>[]
  offline?: (page: { maxMessages: number, cursor: string }) => MessageInitShape<typeof GetOfflineMessagesResponseSchema>
  config?: MessageInitShape<typeof TenantRuntimeConfigSchema>
  /** Kept for each user. */
  messages?: MessageInitShape<typeof MessageRequestSchema>[]
}

export interface StrictHookServer {
  url: string
  port: number
  /** Called so far. */
  calls: Operation[]
}

/** A secret for a test. */
export const SECRET = randomBytes(16).toString('hex')

export const GOOD_TOKEN = 'valid:doctor'

/**
 * A tenant's hook server that does what docs/protocol.md asks, but for the faults it is given. It ends with the test.
 * `team` has two members, and no other group has any.
 */
export async function startStrictHooks (
  t: Test, faults: Faults = {}, certificate?: Certificate
): Promise<StrictHookServer> {
  const { maxBody = 2 * 1024 * 1024, messages = [] } = faults
  const seen = new Set<string>()
  const calls: Operation[] = []
  const auth = faults.auth ?? ((token, deviceId) => token === GOOD_TOKEN
    ? { ok: true, userId: 'doctor', deviceId, config: faults.config }
    : { ok: false, reason: 'unknown token' })
  const check = faults.check ?? (() => ({ allow: true }))
  const checks = faults.checks ?? (messages => messages.map(() => ({ allow: check().allow })))
  const offline = faults.offline ?? (({ maxMessages, cursor }) => {
    const next = Number(cursor) + maxMessages
    const hasMore = next < messages.length
    return { ok: true, messages: messages.slice(Number(cursor), next), hasMore, nextCursor: hasMore ? String(next) : '' }
  })

  function answer (operation: string, body: Buffer): Uint8Array {
    switch (operation) {
      case 'auth': {
        const { token, deviceId } = fromBinary(AuthRequestSchema, body)
        return encode(AuthResponseSchema, auth(token, deviceId))
      }
      case 'check-message':
        fromBinary(CheckMessageRequestSchema, body)
        return encode(CheckMessageResponseSchema, check())
      case 'check-messages':
        return encode(CheckMessagesResponseSchema, {
          verdicts: checks(fromBinary(CheckMessagesRequestSchema, body).messages),
        })
      case 'get-group-members': {
        const { groupId } = fromBinary(GetGroupMembersRequestSchema, body)
        return encode(GetGroupMembersResponseSchema, { userIds: groupId === 'team' ? ['doctor', 'bob'] : [] })
      }
      default:
        return encode(GetOfflineMessagesResponseSchema, offline(fromBinary(GetOfflineMessagesRequestSchema, body)))
    }
  }

  function isGood (headers: IncomingMessage['headers'], body: Buffer): boolean {
    const signature = headers['x-mics-signature']
    if (faults.trusts || (faults.trustsUnsigned && signature === undefined)) return true
    const timestamp = String(headers['x-mics-timestamp'])
    const hmac = createHmac('sha256', SECRET).update(`${timestamp}.`).update(body).digest('hex')
    if (signature !== `v1=${hmac}`) return false
    if (!faults.takesOld && !(Math.abs(Date.now() - Number(timestamp)) < 60_000)) return false
    if (!faults.takesReplays && seen.has(hmac)) return false
    seen.add(hmac)
    return true
  }

  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const chunks: Buffer[] = []
    let bytes = 0
    for await (const chunk of request) {
      bytes += (chunk as Buffer).length
      if (bytes <= maxBody) chunks.push(chunk as Buffer)
    }
    const body = Buffer.concat(chunks)
    const operation = (request.url ?? '').slice(1)
    calls.push(operation as Operation)
    if (faults.intercept?.(operation, response, body, request)) return
    const refused = bytes > maxBody ? 413 : isGood(request.headers, body) ? undefined : 401
    if (refused !== undefined) {
      response.writeHead(refused).end()
      return
    }
    try {
      const answered = answer(operation, body)
      response.writeHead(200, { 'content-type': 'application/protobuf' }).end(answered)
    } catch {
      response.writeHead(400).end()
    }
  }

  const server = certificate === undefined
    ? createServer()
    : createTlsServer({ key: readFileSync(certificate.key), cert: readFileSync(certificate.cert) })
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    handle(request, response).catch(() => response.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(async () => {
    const closed = once(server, 'close')
    server.close()
    server.closeAllConnections()
    await closed
  })
  const { port } = server.address() as AddressInfo
  return { url: `${certificate === undefined ? 'http' : 'https'}://127.0.0.1:${port}`, port, calls }
}

function encode<Desc extends DescMessage> (schema: Desc, message: MessageInitShape<Desc>): Uint8Array {
  return toBinary(schema, create(schema, message))
}
