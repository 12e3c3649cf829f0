import { create, fromBinary, type MessageInitShape } from '@bufbuild/protobuf'
import { toMessageRequest, type KeptMessage } from './chat-message.js'
import {
  TenantRuntimeConfigSchema, type AuthResponseSchema, type GetGroupMembersResponseSchema,
  type GetOfflineMessagesResponseSchema, type TenantRuntimeConfig,
} from './gen/mics/hook/v1/hook_pb.js'
import { MessageRequestSchema, type MessageRequest } from './gen/mics/message/v1/message_pb.js'
import { settingKinds, type SettingKind, type TenantSettings } from './tenant-settings.js'

/** A handler returned what the gateway could not use. The message says what to return. */
export class InvalidAnswerError extends Error {
  override readonly name = 'InvalidAnswerError'
  readonly code = 'MICS_INVALID_ANSWER'
}

/** Characters of a reason that reach the sender. */
const MAX_REASON_LENGTH = 512

/** Characters of a cursor that the gateway takes. */
const MAX_CURSOR_LENGTH = 8192

type Fields = Record<string, unknown>

/** Whether a message may go out, and why not. */
export interface Verdict {
  allow: boolean
  reason: string
}

export function checkAuthenticate (answer: unknown): MessageInitShape<typeof AuthResponseSchema> {
  const { ok, userId, deviceId, config, reason } = objectOf('authenticate', answer, '{ ok, … }')
  if (ok === false) return { ok, reason: optionalText('authenticate', 'reason', reason) }
  if (ok !== true) throw invalid('authenticate', 'ok', 'true or false', ok)
  return {
    ok,
    userId: text('authenticate', 'userId', userId),
    deviceId: optionalText('authenticate', 'deviceId', deviceId),
    config: config === undefined || config === null ? undefined : checkSettings(config),
  }
}

export function checkCheckMessage (answer: unknown): Verdict {
  const { allow, reason } = objectOf('checkMessage', answer, '{ allow: true } or { allow: false, reason }')
  if (typeof allow !== 'boolean') throw invalid('checkMessage', 'allow', 'true or false', allow)
  return { allow, reason: optionalText('checkMessage', 'reason', reason) }
}

/** The verdicts on so many messages. */
export function checkCheckMessages (answer: unknown, count: number): Verdict[] {
  const hook = 'checkMessages'
  if (!Array.isArray(answer)) {
    throw new InvalidAnswerError(`${hook} must return a list, { allow: true } or { allow: false, reason } for each message, and returned ${describe(answer)}`)
  }
  if (answer.length !== count) {
    throw new InvalidAnswerError(`${hook} was asked about ${count} ${count === 1 ? 'message' : 'messages'} and returned ${answer.length} ${answer.length === 1 ? 'verdict' : 'verdicts'}: return one for each message, in their order`)
  }
  return Array.from(answer, (verdict: unknown, i) => {
    const { allow, reason } = objectOf(hook, verdict, '{ allow: true } or { allow: false, reason }', `[${i}]`)
    if (typeof allow !== 'boolean') throw invalid(hook, `[${i}].allow`, 'true or false', allow)
    return { allow, reason: optionalText(hook, `[${i}].reason`, reason) }
  })
}

/** One reason that is too long must not make the answer about all of the messages too large. */
export function withShortReason ({ allow, reason }: Verdict): Verdict {
  // Not in the middle of a character beyond 16 bits: half of one has no UTF-8.
  return { allow, reason: reason.slice(0, MAX_REASON_LENGTH).replace(/[\ud800-\udbff]$/, '') }
}

export function checkGroupMembers (answer: unknown): MessageInitShape<typeof GetGroupMembersResponseSchema> {
  if (!Array.isArray(answer)) {
    const given = describe(answer)
    throw new InvalidAnswerError(`getGroupMembers must return a list of user ids, empty where there is no such group, and returned ${given}`)
  }
  return { userIds: answer.map((id, i) => text('getGroupMembers', `[${i}]`, id)) }
}

export function checkOfflineMessages (
  answer: unknown, maxMessages: number
): MessageInitShape<typeof GetOfflineMessagesResponseSchema> {
  const hook = 'getOfflineMessages'
  const { ok = true, messages, nextCursor, hasMore, reason } = objectOf(hook, answer, '{ messages, nextCursor }')
  if (ok === false) return { ok, reason: optionalText(hook, 'reason', reason) }
  if (ok !== true) throw invalid(hook, 'ok', 'true or false', ok)
  if (!Array.isArray(messages)) throw invalid(hook, 'messages', 'a list of messages', messages)
  if (messages.length > maxMessages) {
    throw new InvalidAnswerError(`${hook} returned ${messages.length} messages: the gateway takes maxMessages, ${maxMessages}, so return the others with the next cursor`)
  }
  const cursor = optionalText(hook, 'nextCursor', nextCursor)
  if (cursor.length > MAX_CURSOR_LENGTH) {
    throw new InvalidAnswerError(`${hook} returned a nextCursor of ${cursor.length} characters: the gateway takes ${MAX_CURSOR_LENGTH} at most`)
  }
  if (hasMore !== undefined && typeof hasMore !== 'boolean') throw invalid(hook, 'hasMore', 'true or false', hasMore)
  if (hasMore === true && cursor === '') {
    throw new InvalidAnswerError(`${hook} returned hasMore without a nextCursor: the gateway would not ask again`)
  }
  return {
    ok,
    messages: messages.map((message, i) => checkKept(hook, `messages[${i}]`, message)),
    nextCursor: cursor,
    hasMore: hasMore ?? cursor !== '',
  }
}

function checkKept (hook: string, name: string, message: unknown): MessageRequest {
  if (message instanceof Uint8Array) {
    try {
      return fromBinary(MessageRequestSchema, message)
    } catch (cause) {
      throw new InvalidAnswerError(`${hook}: ${name} is no serialized MessageRequest: return event_data as it came`, { cause })
    }
  }
  const fields = objectOf(hook, message, 'a message or its bytes', name)
  for (const field of ['msgId', 'userId', 'deviceId']) text(hook, `${name}.${field}`, fields[field])
  const recipient = optionalText(hook, `${name}.toUserId`, fields.toUserId)
  const group = optionalText(hook, `${name}.groupId`, fields.groupId)
  if (recipient === '' && group === '') {
    throw new InvalidAnswerError(`${hook}: ${name} must have a toUserId or a groupId, as it came`)
  }
  const { type, body, timestampMs } = fields
  if (type !== undefined && type !== 'SINGLE_CHAT' && type !== 'GROUP_CHAT') {
    throw invalid(hook, `${name}.type`, 'SINGLE_CHAT or GROUP_CHAT', type)
  }
  if (typeof body !== 'string' && !(body instanceof Uint8Array)) {
    throw invalid(hook, `${name}.body`, 'a string or a Uint8Array', body)
  }
  if (typeof timestampMs !== 'number' || !Number.isFinite(timestampMs)) {
    throw invalid(hook, `${name}.timestampMs`, 'a number of Unix milliseconds', timestampMs)
  }
  return toMessageRequest(message as KeptMessage)
}

function checkSettings (config: unknown): TenantRuntimeConfig {
  const fields = objectOf('authenticate', config, 'an object of settings', 'config')
  const set: Fields = {}
  for (const [name, value] of Object.entries(fields)) {
    const kind = Object.hasOwn(settingKinds, name) ? settingKinds[name as keyof TenantSettings] : undefined
    if (kind === undefined) {
      throw new InvalidAnswerError(`authenticate returned the setting config.${name}, which is none. Settings are ${Object.keys(settingKinds).join(', ')}`)
    }
    // A setting that is not set leaves the gateway's default, as one that is missing.
    if (value === undefined || value === null) continue
    if (!isSetting[kind](value)) throw invalid('authenticate', `config.${name}`, settingNames[kind], value)
    set[name] = value
  }
  return create(TenantRuntimeConfigSchema, set)
}

const isSetting: Readonly<Record<SettingKind, (value: unknown) => boolean>> = {
  url: value => typeof value === 'string' && (value === '' || isBaseUrl(value)),
  text: value => typeof value === 'string' && isWellFormed(value),
  count: value => Number.isInteger(value) && Number(value) >= 0 && Number(value) < 2 ** 31,
  'yes or no': value => typeof value === 'boolean',
}

const settingNames: Readonly<Record<SettingKind, string>> = {
  url: 'an http or https URL without credentials, query and fragment',
  text: 'a string',
  count: 'a whole number from 0 to 2147483647',
  'yes or no': 'true or false',
}

function isBaseUrl (value: string): boolean {
  if (!URL.canParse(value) || !isWellFormed(value)) return false
  const { protocol, username, password, search, hash } = new URL(value)
  return /^https?:$/.test(protocol) && [username, password, search, hash].every(part => part === '')
}

function objectOf (hook: string, value: unknown, wanted: string, name?: string): Fields {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Fields
  throw name === undefined
    ? new InvalidAnswerError(`${hook} must return ${wanted}, and returned ${describe(value)}`)
    : invalid(hook, name, wanted, value)
}

function text (hook: string, name: string, value: unknown): string {
  if (typeof value === 'string' && value !== '' && isWellFormed(value)) return value
  throw invalid(hook, name, 'a string that is not empty', value)
}

function optionalText (hook: string, name: string, value: unknown): string {
  if (value === undefined || value === null || value === '') return ''
  return text(hook, name, value)
}

/** Half a character has no UTF-8: it would arrive as another one. */
function isWellFormed (value: string): boolean {
  return !/\p{Surrogate}/u.test(value)
}

function invalid (hook: string, name: string, wanted: string, value: unknown): InvalidAnswerError {
  return new InvalidAnswerError(`${hook} must return ${wanted} as ${name}, and returned ${describe(value)}`)
}

/** Never the value itself: it may be a secret or a message. */
function describe (value: unknown): string {
  if (value === '') return 'an empty string'
  if (value === undefined || value === null) return String(value)
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'string' && !isWellFormed(value)) return 'a string with half a surrogate pair'
  if (typeof value === 'number' || typeof value === 'boolean') return String(value)
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`
}
