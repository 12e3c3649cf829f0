import { create, fromBinary, toBinary, type DescMessage, type MessageInitShape, type MessageShape } from '@bufbuild/protobuf'
import { checkAuthenticate, checkGroupMembers, checkOfflineMessages, InvalidAnswerError } from './answer-checks.js'
import {
  AuthRequestSchema, AuthResponseSchema, CheckMessageRequestSchema, CheckMessageResponseSchema,
  CheckMessagesRequestSchema, CheckMessagesResponseSchema, GetGroupMembersRequestSchema, GetGroupMembersResponseSchema,
  GetOfflineMessagesRequestSchema, GetOfflineMessagesResponseSchema, type HookMeta,
} from './gen/mics/hook/v1/hook_pb.js'
import type { HookCall, Hooks } from './hooks.js'
import { checkMany, checkOne } from './message-checks.js'
import { Refusal } from './refusal.js'

/** The hooks as their paths are called. */
export const operationNames = ['auth', 'check-message', 'check-messages', 'get-group-members', 'get-offline-messages'] as const

export type Operation = typeof operationNames[number]

export interface EncodedAnswer {
  body: Uint8Array
  /** A no of the handler: the token or a message is refused, or there are no offline messages to be had. */
  isDenied: boolean
  /** Of each message that was checked, whether it may go out. */
  verdicts: readonly boolean[]
}

/** Decodes a request, asks the handler, looks at its answer and encodes it. */
type Ask = (body: Uint8Array, meta: HookMeta, call: HookCall) => Promise<EncodedAnswer>

/** Bytes of an answer that the gateway takes. */
const SMALL = 64 * 1024
const LARGE = 16 * 1024 * 1024

interface Definition<Request extends DescMessage, Response extends DescMessage> {
  request: Request
  response: Response
  maxBytes: number
  answer: (request: MessageShape<Request>, call: HookCall) => Promise<MessageInitShape<Response>>
  isDenied?: (answer: MessageInitShape<Response>) => boolean
  verdicts?: (answer: MessageInitShape<Response>) => boolean[]
}

/** The operations, answered by these hooks. */
export function operationsOf (hooks: Hooks): Readonly<Record<Operation, Ask>> {
  return {
    auth: operation({
      request: AuthRequestSchema,
      response: AuthResponseSchema,
      maxBytes: SMALL,
      answer: async ({ token, deviceId }, call) =>
        checkAuthenticate(await hooks.authenticate({ ...call, token, deviceId })),
      isDenied: ({ ok }) => ok !== true,
    }),
    'check-message': operation({
      request: CheckMessageRequestSchema,
      response: CheckMessageResponseSchema,
      maxBytes: SMALL,
      answer: async ({ message }, call) => await checkOne(hooks, message, call),
      isDenied: ({ allow }) => allow !== true,
      verdicts: ({ allow }) => [allow === true],
    }),
    'check-messages': operation({
      request: CheckMessagesRequestSchema,
      response: CheckMessagesResponseSchema,
      // Of 256 verdicts, whose reasons are cut, no more than half a megabyte: never reached.
      maxBytes: LARGE,
      answer: async ({ messages }, call) => ({ verdicts: await checkMany(hooks, messages, call) }),
      isDenied: ({ verdicts = [] }) => verdicts.some(({ allow }) => allow !== true),
      verdicts: ({ verdicts = [] }) => verdicts.map(({ allow }) => allow === true),
    }),
    'get-group-members': operation({
      request: GetGroupMembersRequestSchema,
      response: GetGroupMembersResponseSchema,
      maxBytes: LARGE,
      answer: async ({ groupId }, call) =>
        checkGroupMembers(await hooks.getGroupMembers?.({ ...call, groupId }) ?? missing(hooks.getGroupMembers)),
    }),
    'get-offline-messages': operation({
      request: GetOfflineMessagesRequestSchema,
      response: GetOfflineMessagesResponseSchema,
      maxBytes: LARGE,
      answer: async ({ userId, deviceId, maxMessages, cursor }, call) => {
        if (hooks.getOfflineMessages === undefined) {
          return { ok: false, reason: 'this hook server has no getOfflineMessages: write it, or do not set offlineUseHookPull' }
        }
        const answer = await hooks.getOfflineMessages({ ...call, userId, deviceId, maxMessages, cursor })
        return checkOfflineMessages(answer, maxMessages)
      },
      isDenied: ({ ok }) => ok !== true,
    }),
  }
}

/** No handler at all is a tenant without groups. A handler that returns nothing has forgotten something. */
function missing (handler: unknown): unknown {
  return handler === undefined ? [] : undefined
}

function operation<Request extends DescMessage, Response extends DescMessage> (
  { request, response, maxBytes, answer, isDenied, verdicts }: Definition<Request, Response>
): Ask {
  return async (body, meta, call) => {
    const answered = await answer(decode(request, body), call)
    const message = create(response, answered)
    // For people who read what went over the wire: the answer names its request. The gateway does not look at it.
    Object.assign(message, { meta: { ...meta, sign: '' } })
    const bytes = toBinary(response, message)
    if (bytes.byteLength > maxBytes) {
      throw new InvalidAnswerError(`the answer has ${bytes.byteLength} bytes, and the gateway takes ${maxBytes} at most: return less${maxBytes === LARGE ? ', offline messages in more pages' : ''}`)
    }
    return { body: bytes, isDenied: isDenied?.(answered) ?? false, verdicts: verdicts?.(answered) ?? [] }
  }
}

function decode<Request extends DescMessage> (schema: Request, body: Uint8Array): MessageShape<Request> {
  try {
    // What is unknown here would be kept as objects, at the mercy of whoever sent it.
    return fromBinary(schema, body, { readUnknownFields: false })
  } catch (error) {
    throw new Refusal('undecodable', `the body is not a ${schema.typeName}: ${(error as Error).message}`)
  }
}
