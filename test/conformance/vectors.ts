import { readFileSync } from 'node:fs'

export type Fields = { [name: string]: unknown }

interface FrameCase { name: string, fields: Fields, bytes: string, canonical: boolean }
interface InvalidCase { name: string, bytes: string, lenient?: true }

export interface FrameVectors { cases: FrameCase[], invalid: InvalidCase[] }
export interface HookVectors { cases: HookCase[] }

interface HookCase extends FrameCase { hook: string, direction: 'request' | 'response', message: string }

export interface SignatureVectors {
  meta_sign: {
    name: string
    message: string
    secret: string
    unsigned: string
    request_id: string
    timestamp_ms: string
    sign: string
    body: string
  }[]
  header: { name: string, secret: string, timestamp_ms: string, body: string, signature: string }[]
  calls: {
    name: string
    secrets: string[]
    headers: Record<string, string>
    body: string
    accepted: { meta_sign: boolean, header: boolean }
  }[]
}

export interface EventVectors {
  cases: {
    name: string
    secret: string
    fields: Fields
    unsigned: string
    bytes: string
    key: string
    topic: string
    dead_letter_topic: string
    headers: Record<string, string>
  }[]
  verify: { name: string, secrets: string[], bytes: string, accepted: boolean }[]
  keys: { msg_type: number, user_id: string, to_user_id: string, group_id: string, key: string }[]
  topics: { tenant_id: string, topic: string, dead_letter_topic: string }[]
}

export interface SubprotocolVectors {
  tokens: { token: string, offered: [string, string] }[]
  urls: { base: string, tenant_id: string, device_id: string, url: string }[]
}

export interface CloseCodeVectors {
  cases: { code: number, name: string, from: string, reconnect: boolean, delay: string | null }[]
  unknown: number[]
}

export interface ReconnectVectors {
  cases: { close_code: number, failures: number, random: number, reconnect: boolean, delay_ms: number | null }[]
  sequences: { name: string, random: number, steps: ({ event: 'connect_ack' } | { event: 'close', code: number, delay_ms: number | null })[] }[]
}

export interface AckReasonVectors {
  cases: { status: number, reason: string, sent: boolean, send_again: 'no' | 'later' | 'with_new_msg_id' | 'as_the_tenant_says' }[]
}

export interface MessageIdentityVectors {
  sequences: { name: string, deliveries: { user_id: string, device_id: string, msg_id: string, repeat: boolean }[] }[]
}

export interface EncryptionIds { tenant_id: string, msg_id: string, to_user_id: string, group_id: string }

export interface EncryptionVectors {
  cases: {
    name: string
    key_id: string
    key: string
    iv: string
    context: EncryptionIds
    plaintext: string
    body: string
  }[]
  refused: {
    name: string
    keys: Record<string, string>
    context: EncryptionIds
    body: string
    reason: 'not_encrypted' | 'unknown_key' | 'not_authentic'
  }[]
}

interface Vectors {
  'client-frames': FrameVectors
  'server-frames': FrameVectors
  hooks: HookVectors
  signatures: SignatureVectors
  events: EventVectors
  subprotocol: SubprotocolVectors
  'close-codes': CloseCodeVectors
  reconnect: ReconnectVectors
  'ack-reasons': AckReasonVectors
  'message-identity': MessageIdentityVectors
  encryption: EncryptionVectors
}

/** A file of conformance/vectors. */
export function vectors<Name extends keyof Vectors> (name: Name): Vectors[Name] {
  return JSON.parse(readFileSync(new URL(`../../conformance/vectors/${name}.json`, import.meta.url), 'utf8')) as Vectors[Name]
}

export function bytesOf (hex: string): Buffer {
  return Buffer.from(hex, 'hex')
}

/** A message by the names and the forms of the vectors; what is left out of these is at its default. */
export function messageFields (message: Omit<ReturnType<typeof messageOf>, 'msgBody'> & { msgBody: Uint8Array }): Fields {
  return withoutDefaults({
    tenant_id: message.tenantId,
    user_id: message.userId,
    device_id: message.deviceId,
    msg_id: message.msgId,
    msg_type: message.msgType,
    to_user_id: message.toUserId,
    group_id: message.groupId,
    msg_body: Buffer.from(message.msgBody).toString('hex'),
    timestamp_ms: String(message.timestampMs),
  })
}

export function withoutDefaults (fields: Fields): Fields {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== '' && value !== 0 && value !== '0' && value !== false))
}

/** The other way round: a message of the fields of a vector. */
export function messageOf (fields: Fields) {
  const text = (name: string): string => (fields[name] ?? '') as string
  return {
    tenantId: text('tenant_id'),
    userId: text('user_id'),
    deviceId: text('device_id'),
    msgId: text('msg_id'),
    msgType: (fields.msg_type ?? 0) as number,
    toUserId: text('to_user_id'),
    groupId: text('group_id'),
    msgBody: bytesOf(text('msg_body')),
    timestampMs: BigInt(text('timestamp_ms') || '0'),
  }
}
