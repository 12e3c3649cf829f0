import { getEventListeners, once } from 'node:events'
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import t, { type Test } from 'tap'
import {
  AuthResponseSchema, CheckMessageRequestSchema, CheckMessageResponseSchema, GetGroupMembersRequestSchema,
  GetGroupMembersResponseSchema, GetOfflineMessagesRequestSchema, GetOfflineMessagesResponseSchema,
} from '../../../lib/gen/mics/hook/v1/hook_pb.js'
import { MessageRequestSchema } from '../../../lib/gen/mics/message/v1/message_pb.js'
import {
  createHookHandler, InvalidAnswerError, type FailedCall, type HookHandlerOptions,
} from '../../../sdk/hook-server/src/index.js'
import { until } from '../../helpers/until.js'
import { callOf, SECRET, send, type Answer } from './caller.js'
import { forms, serveHooks } from './forms.js'

const silent = { warn () {}, error () {} }

function options (more: object = {}): HookHandlerOptions {
  return { secrets: SECRET, logger: silent, authenticate: () => ({ ok: true, userId: 'alice' }), ...more }
}

const offlineCall = () => callOf({}, {
  path: '/get-offline-messages',
  fields: toBinary(GetOfflineMessagesRequestSchema, create(GetOfflineMessagesRequestSchema, { userId: 'bob', maxMessages: 2 })),
})
const membersCall = () => callOf({}, {
  path: '/get-group-members',
  fields: toBinary(GetGroupMembersRequestSchema, create(GetGroupMembersRequestSchema, { groupId: 'g1' })),
})
const checkCall = () => callOf({}, {
  path: '/check-message',
  fields: toBinary(CheckMessageRequestSchema, create(CheckMessageRequestSchema, { message: { msgId: 'm1', toUserId: 'bob' } })),
})

/** What a handler that returns this gives: the answer, and what onError heard. */
async function returning (t: Test, name: string, value: unknown): Promise<{ answer: Answer, errors: unknown[] }> {
  const errors: unknown[] = []
  const url = await serveHooks(t, 'node', options({ [name]: () => value, onError: (error: unknown) => errors.push(error) }))
  const calls = {
    authenticate: callOf, checkMessage: checkCall, getGroupMembers: membersCall, getOfflineMessages: offlineCall,
  }
  return { answer: await send(url, calls[name as keyof typeof calls]()), errors }
}

for (const form of forms) {
  t.test(`${form}: a handler that throws is a failure of the hook, and its words stay here`, async t => {
    const heard: Array<[unknown, FailedCall]> = []
    const error = new Error('password=hunter2')
    const url = await serveHooks(t, form, options({
      authenticate: () => { throw error },
      onError: (error: unknown, call: FailedCall) => {
        heard.push([error, call])
        throw new Error('onError is broken too')
      },
    }))
    const answer = await send(url, callOf({ requestId: 'r1' }))
    t.equal(answer.status, 500)
    t.notMatch(answer.text, /hunter2/)
    t.same(heard, [[error, { operation: 'auth', tenantId: 't1', requestId: 'r1', traceId: 'trace-1' }]])
  })

  t.test(`${form}: the signal aborts when the gateway gives a call up, and the handler's place is free when it ends`, async t => {
    const started = withResolvers()
    let isAborted = false
    const url = await serveHooks(t, form, options({
      maxCallsInProgress: 1,
      authenticate: async ({ token, signal }: { token: string, signal: AbortSignal }) => {
        if (token === 'quick') return { ok: true, userId: 'alice' }
        started.resolve(undefined)
        await once(signal, 'abort')
        isAborted = true
        return { ok: true, userId: 'nobody hears it' }
      },
    }))
    const abort = new AbortController()
    const { body, headers } = callOf()
    const given = fetch(`${url}/auth`, { method: 'POST', headers, body: Buffer.from(body), signal: abort.signal })
      .catch((error: Error) => error.name)
    await started.promise
    const busy = await send(url, callOf({}, { token: 'quick' }))
    t.equal(busy.status, 503)
    t.match(busy.text, /1 calls are in progress/)
    abort.abort()
    t.equal(await given, 'AbortError')
    await until('the handler has ended', async () => (await send(url, callOf({}, { token: 'quick' }))).status === 200)
    t.ok(isAborted)
  })

  t.test(`${form}: calls are answered side by side`, async t => {
    let open = (): void => {}
    const all = new Promise<void>(resolve => { open = resolve })
    let count = 0
    const url = await serveHooks(t, form, options({
      authenticate: async ({ token }: { token: string }) => {
        if (++count === 50) open()
        await all
        return { ok: true, userId: token }
      },
    }))
    const users = Array.from({ length: 50 }, (_, i) => `user-${i}`)
    const answers = await Promise.all(users.map(async token => await send(url, callOf({}, { token }))))
    t.same(answers.map(({ body }) => fromBinary(AuthResponseSchema, body).userId), users)
  })
}

function withResolvers (): { promise: Promise<unknown>, resolve: (value: unknown) => void } {
  let resolve = (_value: unknown): void => {}
  const promise = new Promise(_resolve => { resolve = _resolve })
  return { promise, resolve }
}

t.test('an answer that the gateway could not use is an error that says what to return', async t => {
  const message = { msgId: 'm1', userId: 'dave', deviceId: 'd1', toUserId: 'bob', body: 'hi', timestampMs: 1 }
  const cases: Array<[hook: string, value: unknown, message: RegExp]> = [
    ['authenticate', undefined, /must return \{ ok, … \}, and returned undefined/],
    ['authenticate', true, /returned true/],
    ['authenticate', { ok: 'yes' }, /true or false as ok, and returned a string/],
    ['authenticate', { ok: true }, /userId, and returned undefined/],
    ['authenticate', { ok: true, userId: '' }, /userId, and returned an empty string/],
    ['authenticate', { ok: true, userId: 42 }, /userId, and returned 42/],
    ['authenticate', { ok: true, userId: 'a\ud800' }, /half a surrogate pair/],
    ['authenticate', { ok: true, userId: 'a', deviceId: 1 }, /deviceId/],
    ['authenticate', { ok: true, userId: 'a', config: { heartbeat_timeout_seconds: 3 } }, /config\.heartbeat_timeout_seconds, which is none.*heartbeatTimeoutSeconds/],
    ['authenticate', { ok: true, userId: 'a', config: { heartbeatTimeoutSeconds: -1 } }, /whole number from 0 .* returned -1/],
    ['authenticate', { ok: true, userId: 'a', config: { userMaxConnections: 2 ** 31 } }, /userMaxConnections/],
    ['authenticate', { ok: true, userId: 'a', config: { hookBaseUrl: 'ftp://x' } }, /http or https URL/],
    ['authenticate', { ok: true, userId: 'a', config: { hookBaseUrl: 'http://u:p@x/' } }, /without credentials/],
    ['authenticate', { ok: true, userId: 'a', config: { syncSenderDevices: 'no' } }, /syncSenderDevices/],
    ['authenticate', { ok: true, userId: 'a', config: { constructor: 1 } }, /config\.constructor, which is none/],
    ['authenticate', { ok: true, userId: 'a', deviceId: 'x'.repeat(70_000) }, /65536 at most/],
    ['checkMessage', undefined, /\{ allow: true \}/],
    ['checkMessage', { allow: 1 }, /allow, and returned 1/],
    ['checkMessage', { allow: false, reason: {} }, /reason, and returned an object/],
    ['getGroupMembers', undefined, /list of user ids, empty where there is no such group/],
    ['getGroupMembers', new Set(['alice']), /returned an object/],
    ['getGroupMembers', ['alice', 7], /\[1\], and returned 7/],
    ['getOfflineMessages', [], /\{ messages, nextCursor \}/],
    ['getOfflineMessages', { messages: [message, message, message] }, /3 messages: the gateway takes maxMessages, 2/],
    ['getOfflineMessages', { messages: [], hasMore: true }, /hasMore without a nextCursor/],
    ['getOfflineMessages', { messages: [], nextCursor: 'x'.repeat(8193) }, /8192/],
    ['getOfflineMessages', { messages: [{ ...message, msgId: '' }] }, /messages\[0\]\.msgId/],
    ['getOfflineMessages', { messages: [{ ...message, toUserId: undefined }] }, /toUserId or a groupId/],
    ['getOfflineMessages', { messages: [{ ...message, body: { a: 1 } }] }, /a string or a Uint8Array/],
    ['getOfflineMessages', { messages: [{ ...message, timestampMs: '1' }] }, /timestampMs/],
    ['getOfflineMessages', { messages: [{ ...message, type: 1 }] }, /SINGLE_CHAT or GROUP_CHAT/],
    ['getOfflineMessages', { messages: [Buffer.from([0xff])] }, /event_data as it came/],
  ]
  for (const [hook, value, text] of cases) {
    const { answer, errors } = await returning(t, hook, value)
    t.equal(answer.status, 500, String(text))
    t.equal(errors.length, 1, String(text))
    t.ok(errors[0] instanceof InvalidAnswerError)
    t.match((errors[0] as Error).message, text)
  }
})

t.test('what a tenant kept is delivered as it came: messages, or their bytes', async t => {
  const bytes = toBinary(MessageRequestSchema, create(MessageRequestSchema, { msgId: 'm2', userId: 'eve', groupId: 'g1', msgType: 1 }))
  const huge = Number(2n ** 63n - 1n)
  const message = { msgId: 'm1', userId: 'dave', deviceId: 'd1', toUserId: 'bob', body: 'hi', timestampMs: huge }
  const { answer, errors } = await returning(t, 'getOfflineMessages', { messages: [message, bytes], nextCursor: 'p2' })
  t.same(errors, [])
  const { ok, messages, hasMore, nextCursor } = fromBinary(GetOfflineMessagesResponseSchema, answer.body)
  t.same({ ok, hasMore, nextCursor }, { ok: true, hasMore: true, nextCursor: 'p2' })
  t.match(messages[0], { msgId: 'm1', userId: 'dave', deviceId: 'd1', toUserId: 'bob', msgType: 0, timestampMs: 2n ** 63n - 1n })
  t.equal(Buffer.from(messages[0].msgBody).toString(), 'hi')
  t.same(Buffer.from(toBinary(MessageRequestSchema, messages[1])), Buffer.from(bytes))
  const group = { ...message, toUserId: undefined, groupId: 'g1' }
  const other = (await returning(t, 'getOfflineMessages', { messages: [group] })).answer
  t.match(fromBinary(GetOfflineMessagesResponseSchema, other.body), { hasMore: false, messages: [{ msgType: 1, groupId: 'g1' }] })
})

t.test('a hook without a handler has an answer: all messages may go, groups are empty, nothing was kept', async t => {
  const url = await serveHooks(t, 'node', options())
  t.equal(fromBinary(CheckMessageResponseSchema, (await send(url, checkCall())).body).allow, true)
  t.same(fromBinary(GetGroupMembersResponseSchema, (await send(url, membersCall())).body).userIds, [])
  const offline = fromBinary(GetOfflineMessagesResponseSchema, (await send(url, offlineCall())).body)
  t.equal(offline.ok, false)
  t.match(offline.reason, /no getOfflineMessages/)
})

t.test('callbacks that reject are in the log, and end no process', async t => {
  const lines: string[] = []
  const note = (_fields: object, message: string): void => { lines.push(message) }
  const url = await serveHooks(t, 'node', options({
    authenticate: () => { throw new Error('no database') },
    onError: async () => { throw new Error('no alerting either') },
    onRefused: async () => { throw new Error('no alerting either') },
    logger: { warn: note, error: note },
  }))
  t.equal((await send(url, callOf())).status, 500)
  t.equal((await send(url, callOf({}, { secret: 'guessed' }))).status, 401)
  await until('both are told', () => lines.includes('onError threw') && lines.includes('onRefused threw'))
})

t.test('a signal that outlives its call is left as it was', async t => {
  const hooks = createHookHandler(options())
  const { signal } = new AbortController()
  for (let i = 0; i < 3; i++) {
    const { path, headers, body } = callOf()
    const answer = await hooks.answer({ method: 'POST', path, headerOf: name => headers[name], readBody: async () => body, signal })
    t.equal(answer.status, 200)
  }
  t.equal(getEventListeners(signal, 'abort').length, 0)
})

t.test('a runtime whose requests have no signal is served', async t => {
  const errors: unknown[] = []
  const hooks = createHookHandler(options({ onError: (error: unknown) => errors.push(error) }))
  const { body, headers } = callOf()
  const request = new Request('http://x/auth', { method: 'POST', headers, body: Buffer.from(body) })
  Object.defineProperty(request, 'signal', { value: undefined })
  t.equal((await hooks.fetch(request)).status, 200)
  t.same(errors, [])
})

t.test('a secrets function that fails is a failure of the hook', async t => {
  for (const secrets of [() => { throw new Error('no database') }, () => ['']]) {
    const errors: Error[] = []
    const url = await serveHooks(t, 'node', options({ secrets, onError: (error: Error) => errors.push(error) }))
    t.equal((await send(url, callOf())).status, 500)
    t.match(errors[0].message, /no database|secrets must be/)
  }
})

t.test('an answer that comes later than the gateway waits is counted and warned of, once in 10 seconds', async t => {
  const lines: Array<[object, string]> = []
  const hooks = createHookHandler(options({
    gatewayTimeoutMs: 1,
    authenticate: async () => {
      const start = performance.now()
      await until('the gateway would have given up', () => performance.now() - start > 2)
      return { ok: true, userId: 'alice' }
    },
    logger: { ...silent, warn: (fields: object, message: string) => lines.push([fields, message]) },
  }))
  for (let i = 0; i < 2; i++) {
    const { body, headers } = callOf()
    t.equal((await hooks.fetch(new Request('http://x/auth', { method: 'POST', headers, body: Buffer.from(body) }))).status, 200)
  }
  t.match(hooks.metrics(), /^mics_hook_server_slow_calls_total\{operation="auth"\} 2$/m)
  t.match(lines, [[{ operation: 'auth', tenantId: 't1', traceId: 'trace-1' }, /waits 1 ms/]])
  t.equal(lines.length, 1)
})

t.test('metrics say how calls ended and why they were refused', async t => {
  const url = await serveHooks(t, 'fastify', options())
  await send(url, callOf())
  await send(url, callOf({}, { secret: 'guessed' }))
  const { text, headers } = await send(url, { path: '/metrics', method: 'GET', headers: {}, body: Buffer.alloc(0) })
  t.match(headers['content-type'], /^text\/plain; version=0\.0\.4/)
  t.match(text, /^mics_hook_server_calls_total\{operation="auth",outcome="ok"\} 1$/m)
  t.match(text, /^mics_hook_server_refused_total\{reason="wrong_signature"\} 1$/m)
  t.match(text, /^mics_hook_server_request_ids 1$/m)
  t.match(text, /^mics_hook_server_call_duration_seconds_count\{operation="auth"\} 1$/m)
  t.match(text, /^mics_hook_server_call_duration_seconds_bucket\{operation="auth",le="\+Inf"\} 1$/m)
})

t.test('a wrong option is named when the handler is made', async t => {
  const cases: Array<[object, RegExp]> = [
    [{ secrets: undefined }, /secrets are missing.*allowUnsigned: true/],
    [{ secrets: '' }, /secrets must be a string that is not empty/],
    [{ secrets: [] }, /secrets must be/],
    [{ secrets: ['a', ''] }, /secrets must be/],
    [{ allowUnsigned: true }, /exclude each other/],
    [{ authenticate: undefined }, /authenticate must be a function/],
    [{ checkMessage: true }, /checkMessage must be a function/],
    [{ maxBodyBytes: 0 }, /maxBodyBytes must be a whole number/],
    [{ bodyTimeoutMs: 2 ** 31 }, /bodyTimeoutMs/],
    [{ tenantIds: 't1' }, /tenantIds must be a list/],
    [{ basePath: 'hooks' }, /basePath must begin with/],
  ]
  for (const [wrong, message] of cases) t.throws(() => createHookHandler(options(wrong)), { name: 'TypeError', message })
})
