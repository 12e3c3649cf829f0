import t from 'tap'
import { fromBinary } from '@bufbuild/protobuf'
import { AuthRequestSchema, type HookMeta } from '../../lib/gen/mics/hook/v1/hook_pb.js'
import { decodeVerdicts } from '../../lib/hooks/check-verdicts.js'
import { encodeHookRequest } from '../../lib/hooks/hook-request.js'
import { GroupMembers } from '../../lib/hooks/group-members.js'
import { signBody, signRequest } from '../../lib/hooks/signing.js'
import { TestClient } from '../helpers/client.js'
import { SECRET } from '../helpers/gateway.js'
import { expectedSign, expectedSignatureHeader } from '../helpers/hook-server.js'
import { startPatientGateway } from '../helpers/patient-gateway.js'
import { bytesOf, vectors } from './vectors.js'

const { cases } = vectors('hooks')
const { meta_sign: metaSigns, header: headers } = vectors('signatures')

t.test('the gateway signs as the vectors say', async t => {
  for (const { name, secret, unsigned, request_id: requestId, timestamp_ms: time, sign } of metaSigns) {
    t.equal(signRequest(secret, bytesOf(unsigned), requestId, BigInt(time)), sign, name)
  }
  for (const { name, secret, timestamp_ms: time, body, signature } of headers) {
    t.equal(signBody(secret, BigInt(time), bytesOf(body)), signature, name)
  }
})

t.test('the gateway\'s requests are the bytes of the vectors, unsigned and signed', async t => {
  const withMeta = cases.filter(({ direction, canonical, fields }) => direction === 'request' && canonical && 'meta' in fields)
  t.ok(withMeta.length > 5)
  for (const { name, bytes } of withMeta) {
    const { meta, rest } = split(bytesOf(bytes))
    t.equal(encodeHookRequest(meta, rest, '').body.toString('hex'), bytes, name)
  }
  for (const { name, secret, unsigned, body } of metaSigns) {
    const { meta, rest } = split(bytesOf(unsigned))
    t.equal(encodeHookRequest(meta, rest, secret).body.toString('hex'), body, name)
  }
})

t.test('the gateway reads the members of a group in the vectors', async t => {
  for (const { name, bytes, fields } of cases.filter(({ hook, direction }) => hook === 'get-group-members' && direction === 'response')) {
    const members = GroupMembers.parse(bytesOf(bytes))
    t.strictSame(members?.take(100), fields.user_ids ?? [], name)
  }
})

t.test('the gateway reads the verdicts in the vectors', async t => {
  const responses = cases.filter(({ hook, direction }) => hook === 'check-messages' && direction === 'response')
  t.ok(responses.length > 2)
  for (const { name, bytes, fields } of responses) {
    const wanted = ((fields.verdicts ?? []) as { allow?: boolean, reason?: string }[])
      .map(({ allow = false, reason = '' }) => ({ allow, reason }))
    t.strictSame(decodeVerdicts(bytesOf(bytes), 256)?.map(({ allow, reason }) => ({ allow, reason })), wanted, name)
  }
})

t.test('a running gateway understands the answers in the vectors, and its calls are signed', async t => {
  const gateway = await startPatientGateway(t)
  const { hooks } = gateway
  for (const { name, bytes, fields } of answers('auth')) {
    hooks.raw.set('auth', response => { response.end(bytesOf(bytes)) })
    const client = TestClient.open(gateway.url)
    t.teardown(() => client.ws.terminate())
    if (fields.ok === true) t.match(await client.connectAck(), { userId: fields.user_id, deviceId: fields.device_id ?? 'd1' }, name)
    else t.match(await client.closed, { code: 4001, reason: fields.reason ?? 'authentication failed' }, name)
  }
  hooks.raw.delete('auth')
  const alice = await gateway.connect('carol')
  for (const { name, bytes, fields } of answers('check-message')) {
    hooks.raw.set('check-message', response => { response.end(bytesOf(bytes)) })
    const ack = await alice.sendAndAck({ toUserId: 'bob' })
    t.match(ack, fields.allow === true ? { status: 0, reason: '' } : { status: 1, reason: fields.reason ?? 'message rejected' }, name)
  }
  hooks.config = { ...hooks.config, checkBatchMaxMessages: 2 }
  const dave = await gateway.connect('dave')
  for (const { name, bytes, fields } of answers('check-messages')) {
    hooks.raw.set('check-messages', response => { response.end(bytesOf(bytes)) })
    const verdicts = (fields.verdicts ?? []) as unknown[]
    const { status } = await dave.sendAndAck({ toUserId: 'bob' })
    // Another number of verdicts is a failure, and the message goes out unchecked.
    t.equal(status, 0, name)
    const kind = verdicts.length === 1 ? 'ok' : 'undecodable'
    t.ok((await gateway.metric('mics_hook_calls_total', { tenant: 't1', operation: 'check-messages', result: kind }) ?? 0) > 0, name)
  }
  t.ok(hooks.calls.length > 6)
  for (const call of hooks.calls.filter(({ operation }) => operation === 'auth')) {
    t.equal(call.meta.sign, expectedSign(call, SECRET))
    t.equal(call.headers['x-mics-signature'], expectedSignatureHeader(call, SECRET))
  }
})

function answers (hook: string) {
  return cases.filter(one => one.hook === hook && one.direction === 'response')
}

/** A request's meta, and the bytes after it. Meta is the first field of every request, and here below 128 bytes. */
function split (bytes: Buffer): { meta: HookMeta, rest: Buffer } {
  const { meta } = fromBinary(AuthRequestSchema, bytes.subarray(0, 2 + bytes[1]))
  return { meta: meta as HookMeta, rest: bytes.subarray(2 + bytes[1]) }
}
