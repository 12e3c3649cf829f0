import {
  create, fromBinary, toBinary, type DescMessage, type Message, type MessageInitShape, type MessageShape,
} from '@bufbuild/protobuf'
import type { GenMessage } from '@bufbuild/protobuf/codegenv2'
import type { FastifyInstance } from 'fastify'
import type { TenantConfig } from '../../lib/config/gateway-config.js'
import {
  AuthRequestSchema, AuthResponseSchema, CheckMessageRequestSchema, CheckMessageResponseSchema,
  GetGroupMembersRequestSchema, GetGroupMembersResponseSchema,
  GetOfflineMessagesRequestSchema, GetOfflineMessagesResponseSchema, type HookMeta,
} from '../../lib/gen/mics/hook/v1/hook_pb.js'
import { DemoGroups } from './demo-groups.js'
import { headerSignatureMatches, metaSignMatches } from './hook-signature.js'

export const demoTenantId = 'demo'
export const demoSecret = 'demo-secret'

/** The tenant of the demo page; `authUrl` is where its hooks are served: see startHookMock. */
export function demoTenant (authUrl: string): TenantConfig {
  return { id: demoTenantId, authUrl, secret: demoSecret }
}

/** One answered call, for people to read: it never holds a token or a message body. */
export interface AnsweredHook {
  operation: 'auth' | 'check-message' | 'get-group-members' | 'get-offline-messages'
  tenantId: string
  /** Whom or what it was about. */
  about: string
  answer: string
}

export interface DemoHooksOptions {
  /** Calls must be signed with one of these. Empty: signatures are not looked at. */
  secrets: readonly string[]
  groups: DemoGroups
  onAnswered?: (call: AnsweredHook) => void
}

/** What every hook's request has. */
type HookRequest = GenMessage<Message & { meta?: HookMeta }>

interface Hook<Req extends HookRequest, Res extends DescMessage> {
  operation: AnsweredHook['operation']
  request: Req
  response: Res
  answer: (request: MessageShape<Req>) => { response: MessageInitShape<Res>, about: string, answer: string }
}

// Room for the largest group's members going out is Fastify's own matter; this bounds what comes in: a message of
// the default 1 MiB, and a tenant who raised MAX_MESSAGE_BYTES a little.
const bodyLimit = 4 * 1024 * 1024

const validToken = /^valid:([A-Za-z0-9_.@-]{1,64})$/

/** A tenant's server in miniature: the four hooks, with answers that let a person try every outcome. */
export async function demoHooks (
  app: FastifyInstance, { secrets, groups, onAnswered }: DemoHooksOptions
): Promise<void> {
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('application/protobuf', { parseAs: 'buffer', bodyLimit }, (_request, body, done) => {
    done(null, body)
  })

  function serve<Req extends HookRequest, Res extends DescMessage> (hook: Hook<Req, Res>): void {
    app.post(`/${hook.operation}`, { bodyLimit }, async (request, reply) => {
      // No body at all is a valid message with every field at its default.
      const body = request.body instanceof Uint8Array ? request.body : new Uint8Array()
      const decoded = decode(hook.request, body)
      if (decoded === undefined) {
        return reply.code(400).send({ error: `the body is not a ${hook.request.typeName}; send it in protobuf` })
      }
      const signed = secrets.length === 0 || secrets.some(secret =>
        metaSignMatches(secret, hook.request, decoded) && headerSignatureMatches(secret, request.headers, body))
      const meta = decoded.meta
      if (!signed) {
        const error = 'wrong signature: give the gateway the same tenant secret as this hook server'
        onAnswered?.({ operation: hook.operation, tenantId: meta?.tenantId ?? '', about: '', answer: '401 wrong signature' })
        return reply.code(401).send({ error })
      }
      const { response, about, answer } = hook.answer(decoded)
      onAnswered?.({ operation: hook.operation, tenantId: meta?.tenantId ?? '', about, answer })
      const message = create(hook.response, response)
      Object.assign(message, { meta: meta && { ...meta, sign: '' } })
      return reply.type('application/protobuf').send(Buffer.from(toBinary(hook.response, message)))
    })
  }

  serve({
    operation: 'auth',
    request: AuthRequestSchema,
    response: AuthResponseSchema,
    answer: ({ token, deviceId }) => {
      const userId = validToken.exec(token)?.[1]
      if (userId === undefined) {
        const reason = 'invalid token: use valid:<name>'
        return { response: { ok: false, reason }, about: `device ${deviceId}`, answer: `refused, ${reason}` }
      }
      groups.join(userId)
      const config = {
        heartbeatTimeoutSeconds: 30,
        offlineBufferTtlSeconds: 300,
        tenantMaxConnections: 1000,
        userMaxConnections: 20,
        tenantMaxMessageQps: 1000,
      }
      return { response: { ok: true, userId, deviceId, config }, about: `user ${userId}, device ${deviceId}`, answer: 'ok' }
    },
  })

  serve({
    operation: 'check-message',
    request: CheckMessageRequestSchema,
    response: CheckMessageResponseSchema,
    answer: ({ message }) => {
      const to = message?.groupId ? `group ${message.groupId}` : `user ${message?.toUserId ?? ''}`
      const about = `user ${message?.userId ?? ''} to ${to}`
      // One word is refused so that a person can see what a FAILED ack looks like.
      const forbidden = Buffer.from(message?.msgBody ?? []).includes('forbidden')
      return forbidden
        ? { response: { allow: false, reason: 'forbidden word' }, about, answer: 'refused, forbidden word' }
        : { response: { allow: true }, about, answer: 'allowed' }
    },
  })

  serve({
    operation: 'get-group-members',
    request: GetGroupMembersRequestSchema,
    response: GetGroupMembersResponseSchema,
    answer: ({ groupId }) => {
      const userIds = groups.members(groupId)
      return { response: { userIds }, about: `group ${groupId}`, answer: `${userIds.length} members` }
    },
  })

  serve({
    operation: 'get-offline-messages',
    request: GetOfflineMessagesRequestSchema,
    response: GetOfflineMessagesResponseSchema,
    // The demo tenant leaves offline messages to the gateway's own buffer.
    answer: ({ userId }) => ({ response: { ok: true }, about: `user ${userId}`, answer: 'none' }),
  })
}

/** Undefined where the bytes are not that message. */
function decode<Desc extends DescMessage> (schema: Desc, body: Uint8Array): MessageShape<Desc> | undefined {
  try {
    return fromBinary(schema, body)
  } catch {
    return undefined // the caller answers 400 and says what was expected
  }
}
