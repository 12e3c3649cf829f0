import { createHmac } from 'node:crypto'
import { create, toBinary, type DescMessage, type MessageInitShape } from '@bufbuild/protobuf'
import { AuthRequestSchema, CheckMessageRequestSchema, CheckMessagesRequestSchema, type HookMeta } from '../../lib/gen/mics/hook/v1/hook_pb.js'
import { hex } from './field-values.js'
import { message, meta } from './hooks.js'
import { bytesField, varintField } from './wire.js'

// As docs/protocol.md, "Signatures", says it; none of the gateway's own code is used.

const secrets = ['a-long-random-secret', 'schlüssel-鍵-🔑', 'x'.repeat(200)]

export function metaSign (secret: string, unsigned: Uint8Array, requestId: string, timestampMs: bigint): string {
  const time = Buffer.alloc(8)
  time.writeBigInt64LE(timestampMs)
  return createHmac('sha256', secret).update(unsigned).update(requestId).update(time).digest('base64')
}

export function headerSignature (secret: string, timestampMs: bigint, body: Uint8Array): string {
  return `v1=${createHmac('sha256', secret).update(`${timestampMs}.`).update(body).digest('hex')}`
}

const messages = [message, { ...message, userId: 'bob', msgId: 'm-2', toUserId: 'alice' }]

const times: [name: string, timestampMs: bigint][] = [
  ['a usual time', 1700000000000n],
  ['the time 0', 0n],
  ['a time before 1970', -1n],
  ['a time that a double does not hold exactly', 9007199254740993n],
  ['the largest time', 9223372036854775807n],
  ['the smallest time', -9223372036854775808n],
]

export function signatures (): object {
  const requests: [name: string, values: MessageInitShape<typeof AuthRequestSchema>][] = [
    ...times.map(([name, timestampMs]): typeof requests[number] => [name, { meta: { ...meta, timestampMs }, token: 'valid:alice', deviceId: 'phone' }]),
    ['a request id beyond ASCII', { meta: { ...meta, requestId: 'anfrage-ü-鍵-😀' }, token: 'valid:alice' }],
    ['a request without anything but a meta', { meta: {} }],
  ]
  return {
    description: 'Signatures of hook calls. meta_sign: Base64 of HMAC-SHA256 with the secret (in UTF-8) of unsigned, request_id in UTF-8, and timestamp_ms as 8 bytes, little-endian, signed, one after another. unsigned is the request serialized with meta.sign empty; body is the request with it. header: x-mics-signature of a body at x-mics-timestamp. calls: whole calls, and whether each signature holds with any of the secrets; the age of timestamp_ms is not part of it.',
    meta_sign: secrets.flatMap((secret, index) => [
      ...requests.map(([name, values]) => metaSignCase(`${name}, secret ${index + 1}`, secret, AuthRequestSchema, values)),
      metaSignCase(`a request about several messages, secret ${index + 1}`, secret, CheckMessagesRequestSchema, { meta, messages }),
    ]),
    header: secrets.flatMap((secret, index) => [
      ...times.map(([name, timestampMs]) => headerCase(`${name}, secret ${index + 1}`, secret, timestampMs, Buffer.from('hello'))),
      headerCase(`an empty body, secret ${index + 1}`, secret, 1700000000000n, Buffer.alloc(0)),
      headerCase(`a body of every byte, secret ${index + 1}`, secret, 1700000000000n, Uint8Array.from({ length: 256 }, (_, byte) => byte)),
    ]),
    calls: calls(),
  }
}

function metaSignCase<Desc extends DescMessage> (
  name: string, secret: string, schema: Desc, values: MessageInitShape<Desc>
): object {
  const request = create(schema, values)
  const unsigned = toBinary(schema, request)
  const { meta } = request as { meta?: HookMeta }
  const { requestId = '', timestampMs = 0n } = meta ?? {}
  const sign = metaSign(secret, unsigned, requestId, timestampMs)
  if (meta !== undefined) meta.sign = sign
  return {
    name,
    message: schema.typeName,
    secret,
    unsigned: hex(unsigned),
    request_id: requestId,
    timestamp_ms: String(timestampMs),
    sign,
    body: hex(toBinary(schema, request)),
  }
}

function headerCase (name: string, secret: string, timestampMs: bigint, body: Uint8Array): object {
  const signature = headerSignature(secret, timestampMs, body)
  return { name, secret, timestamp_ms: String(timestampMs), body: hex(body), signature }
}

function calls (): object[] {
  const [secret] = secrets
  const { requestId = '', timestampMs = 0n } = meta
  const fields = Buffer.concat([bytesField(1, 'acme'), bytesField(2, requestId), varintField(3, timestampMs)])
  const trace = bytesField(5, '0123456789abcdef0123456789abcdef')
  const rest = Buffer.concat([bytesField(2, bytesField(4, 'm-1'))])
  const body = (metaBytes: Uint8Array, more = rest): Buffer => Buffer.concat([bytesField(1, metaBytes), more])
  const signed = (inner: Uint8Array, more = rest): Buffer => {
    const sign = metaSign(secret, body(Buffer.concat([fields, inner]), more), requestId, timestampMs)
    return body(Buffer.concat([fields, bytesField(4, sign), inner]), more)
  }
  const call = (
    name: string, bytes: Buffer, accepted: { meta_sign: boolean, header: boolean },
    more: { secrets?: string[], signature?: string, schema?: DescMessage } = {}
  ): object => ({
    name,
    message: (more.schema ?? CheckMessageRequestSchema).typeName,
    secrets: more.secrets ?? [secret],
    headers: { 'x-mics-timestamp': String(timestampMs), 'x-mics-signature': more.signature ?? headerSignature(secret, timestampMs, bytes) },
    body: hex(bytes),
    accepted,
  })
  const good = signed(trace)
  const many = (...msgIds: string[]): Buffer<ArrayBuffer> =>
    Buffer.concat(msgIds.map(msgId => bytesField(2, bytesField(4, msgId))))
  const goodMany = signed(trace, many('m-1', 'm-2', 'm-3'))
  const swapped = many('m-2', 'm-1', 'm-3')
  const changedMany = Buffer.concat([goodMany.subarray(0, -swapped.length), swapped])
  const changed = Buffer.from(good)
  changed[changed.length - 1] ^= 1
  const yes = { meta_sign: true, header: true }
  const no = { meta_sign: false, header: false }
  return [
    call('signed with the secret', good, yes),
    call('signed with the second of two secrets', good, yes, { secrets: ['another-secret', secret] }),
    call('a request about several messages', goodMany, yes, { schema: CheckMessagesRequestSchema }),
    call('a request about several messages, the first two of which changed places on the way', changedMany, no, { schema: CheckMessagesRequestSchema, signature: headerSignature(secret, timestampMs, goodMany) }),
    call('signed with another secret', good, no, { secrets: ['another-secret'] }),
    call('a request with fields of a newer gateway, which are signed too', signed(Buffer.concat([trace, varintField(1001, 150)]), Buffer.concat([rest, varintField(1001, 150)])), yes),
    call('a request whose last byte was changed on the way', changed, no, { signature: headerSignature(secret, timestampMs, good) }),
    call('a header in capitals', good, { meta_sign: true, header: false }, { signature: headerSignature(secret, timestampMs, good).toUpperCase() }),
    call('a header without its version', good, { meta_sign: true, header: false }, { signature: headerSignature(secret, timestampMs, good).slice(3) }),
    call('a header that is cut off', good, { meta_sign: true, header: false }, { signature: headerSignature(secret, timestampMs, good).slice(0, 40) }),
    call('no meta.sign', body(Buffer.concat([fields, trace])), { meta_sign: false, header: true }),
    call('no meta', rest, { meta_sign: false, header: true }),
    call('unsigned', body(Buffer.concat([fields, trace])), no, { signature: '' }),
  ]
}
