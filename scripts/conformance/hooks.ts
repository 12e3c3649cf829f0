import { create, toBinary, type DescMessage, type MessageInitShape } from '@bufbuild/protobuf'
import {
  AuthRequestSchema, AuthResponseSchema, CheckMessageRequestSchema, CheckMessageResponseSchema,
  CheckMessagesRequestSchema, CheckMessagesResponseSchema, GetGroupMembersRequestSchema, GetGroupMembersResponseSchema,
  GetOfflineMessagesRequestSchema, GetOfflineMessagesResponseSchema, HookMetaSchema,
} from '../../lib/gen/mics/hook/v1/hook_pb.js'
import { fieldsIn, hex, type Fields } from './field-values.js'
import { bytesField, unknownFields } from './wire.js'

export interface HookCase {
  name: string
  hook: string
  direction: 'request' | 'response'
  message: string
  fields: Fields
  bytes: string
  canonical: boolean
}

export const meta: MessageInitShape<typeof HookMetaSchema> = {
  tenantId: 'acme', requestId: 'c0ffee-1', timestampMs: 1700000000000n, traceId: '0123456789abcdef0123456789abcdef',
}

export const message = { tenantId: 'acme', userId: 'alice', deviceId: 'phone', msgId: 'm-1', toUserId: 'bob', msgBody: Buffer.from('hello'), timestampMs: 1700000000000n }

export function hooks (): object {
  return {
    description: 'The requests and responses of the hooks, mics.hook.v1. canonical: an encoder makes these bytes of these fields. Otherwise only the way from bytes to fields counts. How requests are signed is in signatures.json.',
    cases: [
      ...requests(),
      ...responses(),
    ],
  }
}

function requests (): HookCase[] {
  const auth = of('auth', 'request', AuthRequestSchema)
  const check = of('check-message', 'request', CheckMessageRequestSchema)
  const checks = of('check-messages', 'request', CheckMessagesRequestSchema)
  const members = of('get-group-members', 'request', GetGroupMembersRequestSchema)
  const offline = of('get-offline-messages', 'request', GetOfflineMessagesRequestSchema)
  return [
    auth('a token and a device', { meta, token: 'valid:alice', deviceId: 'phone' }),
    auth('a token beyond ASCII', { meta, token: '令牌 😀', deviceId: 'José' }),
    auth('no meta', { token: 't', deviceId: 'd' }),
    other('auth', 'request', AuthRequestSchema, 'unknown fields in the meta and beside it', Buffer.concat([
      bytesField(1, Buffer.concat([toBinary(HookMetaSchema, create(HookMetaSchema, meta)), unknownFields])), bytesField(2, 'valid:alice'), bytesField(3, 'phone'), unknownFields,
    ])),
    check('a message to one user', { meta, message }),
    check('a message to a group', { meta, message: { ...message, msgType: 1, toUserId: '', groupId: 'team' } }),
    check('an empty body', { meta, message: { ...message, msgBody: new Uint8Array() } }),
    checks('one message', { meta, messages: [message] }),
    checks('several messages, of which two are equal', {
      meta,
      messages: [message, { ...message, userId: 'bob', msgId: 'm-2', msgType: 1, toUserId: '', groupId: 'team' }, message, { ...message, msgId: 'm-3', msgBody: new Uint8Array() }],
    }),
    checks('no message', { meta }),
    members('a group', { meta, groupId: 'team' }),
    offline('the first page', { meta, userId: 'bob', deviceId: 'phone', maxMessages: 100 }),
    offline('a later page', { meta, userId: 'bob', deviceId: 'phone', maxMessages: 100, cursor: 'page-2' }),
  ]
}

function responses (): HookCase[] {
  const auth = of('auth', 'response', AuthResponseSchema)
  const check = of('check-message', 'response', CheckMessageResponseSchema)
  const checks = of('check-messages', 'response', CheckMessagesResponseSchema)
  const members = of('get-group-members', 'response', GetGroupMembersResponseSchema)
  const offline = of('get-offline-messages', 'response', GetOfflineMessagesResponseSchema)
  return [
    auth('yes', { ok: true, userId: 'alice' }),
    auth('yes, with another device id', { ok: true, userId: 'alice', deviceId: 'phone-of-alice' }),
    auth('yes, with every setting', {
      ok: true,
      userId: 'alice',
      config: {
        hookBaseUrl: 'https://hooks.acme.example/im', heartbeatTimeoutSeconds: 60, offlineBufferTtlSeconds: 600, tenantMaxConnections: 1000, userMaxConnections: 5, tenantMaxMessageQps: 200, tenantSecret: 's3cret', hookMaxConcurrency: 64, hookQueueTimeoutMs: 20, hookBreakerFailureThreshold: 10, hookBreakerOpenMs: 3000, hookSignRequired: true, offlineUseHookPull: true, checkMessageFailClosed: true, checkMessageDisabled: true, syncSenderDevices: false, checkBatchMaxMessages: 64, checkBatchMaxWaitMs: 5,
      },
    }),
    auth('yes, with settings of 0 and false, which are not those left out', {
      ok: true, userId: 'alice', config: { hookMaxConcurrency: 0, hookQueueTimeoutMs: 0, hookSignRequired: false, offlineUseHookPull: false, syncSenderDevices: false },
    }),
    auth('no', { reason: 'token expired' }),
    auth('nothing: a refusal', {}),
    check('yes', { allow: true }),
    check('no, with a reason', { reason: '发送太快了' }),
    check('nothing: a refusal', {}),
    checks('a verdict', { verdicts: [{ allow: true }] }),
    checks('verdicts in the order of the request: yes, no with a reason, no without one, yes', {
      verdicts: [{ allow: true }, { reason: '发送太快了' }, {}, { allow: true }],
    }),
    checks('nothing: as many verdicts as no message has', {}),
    members('members', { userIds: ['alice', 'bob', 'José 李雷'] }),
    members('a member twice, and one without a name', { userIds: ['alice', 'alice', ''] }),
    members('nobody', {}),
    offline('two messages and more to come', { ok: true, messages: [message, { ...message, msgId: 'm-2' }], nextCursor: 'page-2', hasMore: true }),
    offline('the last page, which is empty', { ok: true }),
    offline('no', { reason: 'not now' }),
  ]
}

function of<Desc extends DescMessage> (hook: string, direction: HookCase['direction'], schema: Desc) {
  return (name: string, values: MessageInitShape<Desc>): HookCase =>
    ({ ...other(hook, direction, schema, name, toBinary(schema, create(schema, values))), canonical: true })
}

function other (hook: string, direction: HookCase['direction'], schema: DescMessage, name: string, bytes: Uint8Array): HookCase {
  return { name: `${hook} ${direction}: ${name}`, hook, direction, message: schema.typeName, fields: fieldsIn(schema, bytes), bytes: hex(bytes), canonical: false }
}
