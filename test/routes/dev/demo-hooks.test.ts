import { create, fromBinary, toBinary, type DescMessage, type MessageInitShape, type MessageShape } from '@bufbuild/protobuf'
import Fastify from 'fastify'
import t from 'tap'
import { request } from 'undici'
import {
  AuthRequestSchema, AuthResponseSchema, CheckMessageRequestSchema, CheckMessageResponseSchema,
  CheckMessagesRequestSchema, CheckMessagesResponseSchema,
  GetGroupMembersRequestSchema, GetGroupMembersResponseSchema,
  GetOfflineMessagesRequestSchema, GetOfflineMessagesResponseSchema, HookMetaSchema, type HookMeta,
} from '../../../lib/gen/mics/hook/v1/hook_pb.js'
import { signBody, signRequest } from '../../../lib/hooks/signing.js'
import { demoSecret, demoTenant } from '../../../routes/dev/demo-hooks.js'
import { startHookMock } from '../../../routes/dev/hook-mock.js'
import { demoPage } from '../../../routes/dev/demo-page.js'

const hooks = await startHookMock({ host: '127.0.0.1', port: 0, secrets: [demoSecret], groups: {}, log: false })
const tenant = demoTenant(hooks.url)
t.teardown(() => hooks.close())

interface Called {
  status: number
  type: string | undefined
  body: Buffer
}

async function post (url: string, body: Uint8Array, headers: Record<string, string> = {}): Promise<Called> {
  const answer = await request(url, {
    method: 'POST', headers: { 'content-type': 'application/protobuf', ...headers }, body: Buffer.from(body),
  })
  const type = answer.headers['content-type']
  return {
    status: answer.statusCode,
    type: Array.isArray(type) ? type[0] : type,
    body: Buffer.from(await answer.body.arrayBuffer()),
  }
}

let requests = 0

/** Signs as the gateway does and posts; `spoil` may change what goes out after signing. */
async function call<Desc extends DescMessage> (
  baseUrl: string, operation: string, schema: Desc, init: MessageInitShape<Desc>,
  { secret = demoSecret, spoil = () => {} }: { secret?: string, spoil?: (headers: Record<string, string>) => void } = {}
): Promise<Called> {
  const meta = create(HookMetaSchema, {
    tenantId: 'demo', requestId: `r-${++requests}`, timestampMs: BigInt(Date.now()), traceId: 't-1',
  })
  const message = create(schema, init) as MessageShape<Desc> & { meta?: HookMeta }
  message.meta = meta
  const headers: Record<string, string> = {}
  if (secret !== '') {
    meta.sign = signRequest(secret, toBinary(schema, message), meta.requestId, meta.timestampMs)
    headers['x-mics-timestamp'] = String(meta.timestampMs)
    headers['x-mics-signature'] = signBody(secret, meta.timestampMs, toBinary(schema, message))
  }
  spoil(headers)
  return post(`${baseUrl}/${operation}`, toBinary(schema, message), headers)
}

const auth = async (token: string, options = {}) =>
  call(tenant.authUrl, 'auth', AuthRequestSchema, { token, deviceId: 'd1' }, options)

async function members (groupId: string, baseUrl = tenant.authUrl, secret = demoSecret): Promise<string[]> {
  const { body } = await call(baseUrl, 'get-group-members', GetGroupMembersRequestSchema, { groupId }, { secret })
  return fromBinary(GetGroupMembersResponseSchema, body).userIds
}

async function check (text: string) {
  const message = { userId: 'alice', toUserId: 'bob', msgBody: Buffer.from(text) }
  const { body } = await call(tenant.authUrl, 'check-message', CheckMessageRequestSchema, { message })
  return fromBinary(CheckMessageResponseSchema, body)
}

t.test('a token valid:<name> is that user, on the device it came with', async t => {
  const { status, type, body } = await auth('valid:dave.o-k_@1')
  t.equal(status, 200)
  t.equal(type, 'application/protobuf')
  const response = fromBinary(AuthResponseSchema, body)
  t.ok(response.ok)
  t.equal(response.userId, 'dave.o-k_@1')
  t.equal(response.deviceId, 'd1')
  t.equal(response.config?.heartbeatTimeoutSeconds, 30)
  t.same([response.meta?.requestId, response.meta?.traceId], [`r-${requests}`, 't-1'], 'the answer names its request')
})

t.test('any other token is refused with what to use instead', async t => {
  for (const token of ['', 'dave', 'valid:', 'valid:two words', 'valid:x\n', `valid:${'x'.repeat(65)}`]) {
    const response = fromBinary(AuthResponseSchema, (await auth(token)).body)
    t.notOk(response.ok)
    t.equal(response.reason, 'invalid token: use valid:<name>')
  }
})

t.test('a call with a wrong signature, or none, gets 401', async t => {
  t.equal((await auth('valid:dave', { secret: 'another secret' })).status, 401)
  t.equal((await auth('valid:dave', { secret: '' })).status, 401)
  const spoil = (headers: Record<string, string>) => { headers['x-mics-signature'] = `v1=${'0'.repeat(64)}` }
  t.equal((await auth('valid:dave', { spoil })).status, 401, 'meta.sign is right, the header is not')
})

t.test('meta.sign alone is enough: the header is this gateway\'s own addition', async t => {
  const spoil = (headers: Record<string, string>) => {
    delete headers['x-mics-signature']
    delete headers['x-mics-timestamp']
  }
  t.equal((await auth('valid:dave', { spoil })).status, 200)
})

t.test('every message is allowed but one with the word forbidden', async t => {
  t.ok((await check('hello')).allow)
  const refused = await check('this is forbidden, says the demo')
  t.notOk(refused.allow)
  t.equal(refused.reason, 'forbidden word')
})

t.test('several messages are checked with one call', async t => {
  const messages = ['hello', 'this is forbidden', 'bye'].map(text => ({ userId: 'alice', toUserId: 'bob', msgBody: Buffer.from(text) }))
  const { body } = await call(tenant.authUrl, 'check-messages', CheckMessagesRequestSchema, { messages })
  const { verdicts } = fromBinary(CheckMessagesResponseSchema, body)
  t.match(verdicts, [{ allow: true, reason: '' }, { allow: false, reason: 'forbidden word' }, { allow: true, reason: '' }])
  t.equal(verdicts.length, 3)
})

t.test('team is alice, bob and carol; lobby is everybody who signed in besides', async t => {
  t.same(await members('team'), ['alice', 'bob', 'carol'])
  t.notOk((await members('lobby')).includes('erin'))
  await auth('valid:erin')
  const lobby = await members('lobby')
  for (const user of ['alice', 'bob', 'carol', 'erin']) t.ok(lobby.includes(user), user)
  t.same(await members('no such group'), [])
})

t.test('there are never offline messages to pull', async t => {
  const { body } = await call(
    tenant.authUrl, 'get-offline-messages', GetOfflineMessagesRequestSchema, { userId: 'alice', maxMessages: 10 }
  )
  const response = fromBinary(GetOfflineMessagesResponseSchema, body)
  t.ok(response.ok)
  t.same([response.messages, response.hasMore], [[], false])
})

t.test('what is not protobuf is refused, and the next call works', async t => {
  t.equal((await post(`${tenant.authUrl}/auth`, Buffer.from([0xff, 0xff]))).status, 400)
  t.equal((await post(`${tenant.authUrl}/auth`, Buffer.from('{}'), { 'content-type': 'application/json' })).status, 415)
  t.equal((await post(`${tenant.authUrl}/auth`, Buffer.alloc(4 * 1024 * 1024 + 1))).status, 413)
  t.equal((await auth('valid:alice')).status, 200)
})

t.test('the page is served at / under a strict policy, with nothing inline and no other host', async t => {
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(demoPage)
  const base = await app.listen({ host: '127.0.0.1', port: 0 })
  const html = await request(`${base}/`)
  t.equal(html.statusCode, 200)
  t.match(html.headers['content-security-policy'], /default-src 'none'; script-src 'self'/)
  t.notMatch(html.headers['content-security-policy'], /unsafe|http/)
  const source = await html.body.text()
  t.notMatch(source, /<style|style=|<script>|onclick|https?:/)
  for (const [, path] of source.matchAll(/(?:src|href)="([^"]+)"/g)) {
    const part = await request(`${base}/${path}`)
    t.equal(part.statusCode, 200, path)
    await part.body.dump()
  }
  const missing = await request(`${base}/no-such-file`)
  t.equal(missing.statusCode, 404)
  await missing.body.dump()
})

t.test('the hook mock answers at the root, with more groups, and unsigned where it has no secret', async t => {
  const mock = await startHookMock({
    host: '127.0.0.1', port: 0, secrets: [], groups: { ops: ['olga'], team: ['zoe'], lobby: ['lou'] }, log: false,
  })
  t.teardown(() => mock.close())
  t.same(await members('ops', mock.url, ''), ['olga'])
  t.same(await members('team', mock.url, ''), ['alice', 'bob', 'carol', 'zoe'])
  t.same(await members('lobby', mock.url, ''), ['alice', 'bob', 'carol', 'lou'])
})

t.test('the hook mock takes calls signed with any of its secrets', async t => {
  const mock = await startHookMock({ host: '127.0.0.1', port: 0, secrets: ['old', 'new'], groups: { ops: ['olga'] }, log: false })
  t.teardown(() => mock.close())
  for (const secret of ['old', 'new']) t.same(await members('ops', mock.url, secret), ['olga'], secret)
  for (const secret of ['other', '']) {
    const { status } = await call(mock.url, 'get-group-members', GetGroupMembersRequestSchema, { groupId: 'ops' }, { secret })
    t.equal(status, 401, secret)
  }
})

t.test('the hook mock prints one line a call, and never a token', async t => {
  const mock = await startHookMock({ host: '127.0.0.1', port: 0, secrets: ['s'], groups: {}, log: true })
  t.teardown(() => mock.close())
  const lines: string[] = []
  t.intercept(process.stdout, 'write', { value: (line: string) => lines.push(line) > 0 })
  const options = { secret: 's' }
  await call(mock.url, 'auth', AuthRequestSchema, { token: 'valid:olga', deviceId: 'd1' }, options)
  await call(mock.url, 'auth', AuthRequestSchema, { token: 'sesame', deviceId: 'd\u001b[2J' }, options)
  await call(mock.url, 'get-group-members', GetGroupMembersRequestSchema, { groupId: 'team' }, options)
  await call(mock.url, 'auth', AuthRequestSchema, { token: 'sesame' }, { secret: 'wrong' })
  t.match(lines, [
    /^[\d:.]+ {2}auth +tenant demo {2}user olga, device d1 {2}-> ok\n$/,
    /^[\d:.]+ {2}auth +tenant demo {2}device d\?\[2J {2}-> refused, invalid token: use valid:<name>\n$/,
    /get-group-members +tenant demo {2}group team {2}-> 3 members\n$/,
    /auth +tenant demo {2}-> 401 wrong signature\n$/,
  ])
  t.notMatch(lines.join(''), /valid:olga|sesame/)
})
