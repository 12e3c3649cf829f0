import { getEventListeners, once } from 'node:events'
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import t from 'tap'
import {
  AuthResponseSchema, CheckMessageRequestSchema, CheckMessageResponseSchema, CheckMessagesRequestSchema,
  CheckMessagesResponseSchema, type CheckVerdict,
} from '../../../lib/gen/mics/hook/v1/hook_pb.js'
import {
  createHookHandler, InvalidAnswerError, type CheckMessageCall, type CheckMessagesCall, type FailedCall,
  type HookHandlerOptions,
} from '../../../sdk/hook-server/src/index.js'
import { until } from '../../helpers/until.js'
import { callOf, SECRET, send, type Answer, type Call } from './caller.js'
import { forms, serveHooks } from './forms.js'

function options (more: object = {}): HookHandlerOptions {
  const logger = { warn () {}, error () {} }
  return { secrets: SECRET, logger, authenticate: () => ({ ok: true, userId: 'alice' }), ...more }
}

/** A call about a message of each text. */
function batchOf (texts: string[], meta: object = {}): Call {
  const messages = texts.map((text, i) =>
    ({ msgId: `m${i}`, userId: 'alice', toUserId: 'bob', msgBody: Buffer.from(text) }))
  return callOf(meta, {
    path: '/check-messages',
    fields: toBinary(CheckMessagesRequestSchema, create(CheckMessagesRequestSchema, { messages })),
  })
}

function oneOf (text: string): Call {
  return callOf({}, {
    path: '/check-message',
    fields: toBinary(CheckMessageRequestSchema, create(CheckMessageRequestSchema, {
      message: { msgBody: Buffer.from(text) },
    })),
  })
}

function verdictsIn ({ body }: Answer): Array<Pick<CheckVerdict, 'allow' | 'reason'>> {
  return fromBinary(CheckMessagesResponseSchema, body).verdicts.map(({ allow, reason }) => ({ allow, reason }))
}

const numbered = (count: number): string[] => Array.from({ length: count }, (_, i) => String(i))
const isOdd = (text: string): boolean => Number(text) % 2 === 1
const verdictOn = (text: string) => isOdd(text) ? { allow: false as const, reason: `not ${text}` } : { allow: true as const }
const wantedOn = (text: string) => ({ allow: !isOdd(text), reason: isOdd(text) ? `not ${text}` : '' })

for (const form of forms) {
  t.test(`${form}: checkMessage alone answers for many messages, side by side, in their order`, async t => {
    const texts = numbered(256)
    const calls: Array<Partial<CheckMessageCall>> = []
    const waiting: Array<() => void> = []
    let most = 0
    const url = await serveHooks(t, form, options({
      checkMessage: async ({ message, tenantId, requestId, traceId }: CheckMessageCall) => {
        calls.push({ message, tenantId, requestId, traceId })
        // Who came last is answered first.
        await new Promise<void>(resolve => {
          waiting.push(resolve)
          most = Math.max(most, waiting.length)
          if (waiting.length === 32) for (const answer of waiting.splice(0).reverse()) answer()
        })
        return verdictOn(message.text)
      },
    }))
    const answer = await send(url, batchOf(texts, { requestId: 'r1' }))
    t.equal(answer.status, 200)
    t.same(verdictsIn(answer), texts.map(wantedOn))
    t.equal(most, 32)
    t.match(calls[3], {
      tenantId: 't1', requestId: 'r1', traceId: 'trace-1', message: { msgId: 'm3', userId: 'alice', toUserId: 'bob', text: '3' },
    })
  })

  t.test(`${form}: checkMessages is asked once about all`, async t => {
    const calls: CheckMessagesCall[] = []
    const url = await serveHooks(t, form, options({
      checkMessage: () => { throw new Error('not asked') },
      checkMessages: async (call: CheckMessagesCall) => {
        calls.push(call)
        return call.messages.map(({ text }) => verdictOn(text))
      },
    }))
    const texts = numbered(5)
    t.same(verdictsIn(await send(url, batchOf(texts))), texts.map(wantedOn))
    t.equal(calls.length, 1)
    t.match(calls[0], { tenantId: 't1', messages: [{ msgId: 'm0', type: 'SINGLE_CHAT', userId: 'alice', text: '0' }] })
    t.ok(calls[0].signal instanceof AbortSignal)
    t.same(verdictsIn(await send(url, batchOf([]))), [])
  })

  t.test(`${form}: a call about as much as the gateway puts into one is taken`, async t => {
    const sizes: number[] = []
    const url = await serveHooks(t, form, options({
      checkMessage: ({ message }: CheckMessageCall) => {
        sizes.push(message.body.byteLength)
        return { allow: true }
      },
    }))
    const MiB = 1024 * 1024
    const texts = [...Array.from({ length: 255 }, () => 'x'.repeat(MiB / 255)), 'x'.repeat(MiB)]
    t.equal((await send(url, batchOf(texts))).status, 200)
    t.same(sizes, texts.map(({ length }) => length))
  })
}

t.test('checkMessages alone answers for a single message too', async t => {
  const url = await serveHooks(t, 'node', options({
    checkMessages: ({ messages }: CheckMessagesCall) => messages.map(({ text }) => verdictOn(text)),
  }))
  for (const text of ['1', '2']) {
    t.match(fromBinary(CheckMessageResponseSchema, (await send(url, oneOf(text))).body), wantedOn(text))
  }
})

t.test('without either all messages may go', async t => {
  const url = await serveHooks(t, 'node', options())
  t.same(verdictsIn(await send(url, batchOf(['a', 'b']))), [{ allow: true, reason: '' }, { allow: true, reason: '' }])
})

t.test('handlers are called as methods of the options', async t => {
  class Backend {
    secrets = SECRET
    readonly words = ['spam']
    authenticate () { return { ok: true as const, userId: 'alice' } }
    checkMessage ({ message }: CheckMessageCall) { return { allow: !this.words.includes(message.text) } }
  }
  const url = await serveHooks(t, 'node', Object.assign(new Backend(), {}) as HookHandlerOptions)
  t.same(verdictsIn(await send(url, batchOf(['spam', 'ham']))).map(({ allow }) => allow), [false, true])
})

t.test('another number of verdicts, and what is none, are errors that say what to return', async t => {
  const cases: Array<[value: unknown, message: RegExp]> = [
    [undefined, /checkMessages must return a list, .* for each message, and returned undefined/],
    [{ allow: true }, /must return a list.*returned an object/],
    [[], /was asked about 3 messages and returned 0 verdicts: return one for each message, in their order/],
    [[{ allow: true }], /3 messages and returned 1 verdict:/],
    [numbered(4).map(() => ({ allow: true })), /3 messages and returned 4 verdicts/],
    [[{ allow: true }, undefined, { allow: true }], /\[1\], and returned undefined/],
    [new Array(3), /\[0\], and returned undefined/],
    [[{ allow: true }, { allow: true }, { allow: 'no' }], /\[2\]\.allow, and returned a string/],
    [[{ allow: false, reason: 7 }, { allow: true }, { allow: true }], /\[0\]\.reason, and returned 7/],
  ]
  for (const [value, message] of cases) {
    const errors: Error[] = []
    const hooks = { checkMessages: () => value, onError: (error: Error) => errors.push(error) }
    const answer = await send(await serveHooks(t, 'node', options(hooks)), batchOf(['a', 'b', 'c']))
    t.equal(answer.status, 500, String(message))
    t.ok(errors[0] instanceof InvalidAnswerError, String(message))
    t.match(errors[0].message, message)
    t.equal(errors.length, 1)
  }
})

t.test('a wrong number of verdicts is in the log', async t => {
  const lines: Array<[object, string]> = []
  const url = await serveHooks(t, 'node', options({
    checkMessages: () => [],
    logger: { warn () {}, error: (fields: object, message: string) => lines.push([fields, message]) },
  }))
  t.equal((await send(url, batchOf(['a', 'b'], { requestId: 'r1' }))).status, 500)
  const call = { operation: 'check-messages', tenantId: 't1', requestId: 'r1' }
  t.match(lines, [[call, /asked about 2 messages and returned 0 verdicts/]])
})

t.test('a check that throws fails the call; no more are begun, and what is at work is waited for', async t => {
  const heard: Array<[unknown, FailedCall]> = []
  const begun: string[] = []
  let allBegun = (): void => {}
  const whenAllBegun = new Promise<void>(resolve => { allBegun = resolve })
  let finish = (): void => {}
  const finished = new Promise<void>(resolve => { finish = resolve })
  const error = new Error('no database')
  const hooks = createHookHandler(options({
    checkMessage: async ({ message: { text } }: CheckMessageCall) => {
      begun.push(text)
      if (begun.length === 32) allBegun()
      await (text === '1' ? whenAllBegun : finished)
      if (text === '1') throw error
      return { allow: true }
    },
    onError: (error: unknown, call: FailedCall) => heard.push([error, call]),
  }))
  const { path, headers, body } = batchOf(numbered(100), { requestId: 'r1' })
  let isAnswered = false
  const given = hooks.answer({
    method: 'POST', path, headerOf: name => headers[name], readBody: async () => body, signal: new AbortController().signal,
  }).finally(() => { isAnswered = true })
  await until('32 are begun', () => begun.length >= 32)
  t.match(hooks.metrics(), /^mics_hook_server_calls_in_progress 1$/m)
  t.notOk(isAnswered)
  finish()
  t.equal((await given).status, 500)
  t.equal(begun.length, 32)
  t.same(heard, [[error, { operation: 'check-messages', tenantId: 't1', requestId: 'r1', traceId: 'trace-1' }]])
  t.match(hooks.metrics(), /^mics_hook_server_calls_in_progress 0$/m)
})

t.test('checks of a call that the gateway has given up are not begun any more', async t => {
  const errors: unknown[] = []
  const begun: string[] = []
  const hooks = createHookHandler(options({
    checkMessage: async ({ message: { text }, signal }: CheckMessageCall) => {
      begun.push(text)
      if (!signal.aborted) await once(signal, 'abort')
      return { allow: true }
    },
    onError: (error: unknown) => errors.push(error),
  }))
  const { path, headers, body } = batchOf(numbered(100))
  const gone = new AbortController()
  const given = hooks.answer({ method: 'POST', path, headerOf: name => headers[name], readBody: async () => body, signal: gone.signal })
  await until('32 are begun', () => begun.length === 32)
  gone.abort()
  t.equal((await given).status, 503)
  await until('they have ended', () => hooks.metrics().includes('\nmics_hook_server_calls_in_progress 0\n'))
  t.equal(begun.length, 32)
  t.same(errors, [])
  t.equal(getEventListeners(gone.signal, 'abort').length, 0)
  t.match(hooks.metrics(), /^mics_hook_server_calls_total\{operation="check-messages",outcome="abandoned"\} 1$/m)
})

t.test('checks that never wait let other calls be answered meanwhile', async t => {
  let begun = 0
  let isAuthenticated = false
  const url = await serveHooks(t, 'node', options({
    authenticate: () => {
      isAuthenticated = true
      return { ok: true, userId: 'alice' }
    },
    checkMessage: () => {
      begun++
      const start = performance.now()
      while (performance.now() - start < (isAuthenticated ? 0 : 11));
      return { allow: isAuthenticated }
    },
  }))
  const batch = send(url, batchOf(numbered(256)))
  await until('the first is begun', () => begun > 0)
  const { body } = await send(url, callOf())
  t.ok(fromBinary(AuthResponseSchema, body).ok)
  t.equal(verdictsIn(await batch)[255].allow, true)
})

t.test('reasons are cut to what the sender gets, so that they do not make the answer too large', async t => {
  const reason = `${'鍵'.repeat(511)}😀${'x'.repeat(100_000)}`
  for (const hooks of [
    { checkMessage: () => ({ allow: false, reason }) },
    { checkMessages: ({ messages }: CheckMessagesCall) => messages.map(() => ({ allow: false, reason })) },
  ]) {
    const answer = await send(await serveHooks(t, 'node', options(hooks)), batchOf(numbered(256)))
    t.equal(answer.status, 200)
    t.ok(answer.body.byteLength < 256 * 2048)
    t.same(new Set(verdictsIn(answer).map(({ reason }) => reason)), new Set(['鍵'.repeat(511)]))
  }
})

t.test('metrics count the call, and the messages by their verdicts', async t => {
  const hooks = createHookHandler(options({ checkMessage: ({ message }: CheckMessageCall) => verdictOn(message.text) }))
  for (const { path, headers, body } of [batchOf(numbered(5)), batchOf(['0', '2']), oneOf('1')]) {
    await hooks.answer({
      method: 'POST', path, headerOf: name => headers[name], readBody: async () => body, signal: new AbortController().signal,
    })
  }
  const text = hooks.metrics()
  for (const line of [
    'calls_total{operation="check-messages",outcome="ok"} 1',
    'calls_total{operation="check-messages",outcome="denied"} 1',
    'checked_messages_total{operation="check-messages",verdict="allowed"} 5',
    'checked_messages_total{operation="check-messages",verdict="refused"} 2',
    'checked_messages_total{operation="check-message",verdict="refused"} 1',
    'checked_messages_total{operation="check-message",verdict="allowed"} 0',
    'call_duration_seconds_count{operation="check-messages"} 2',
    'slow_calls_total{operation="check-messages"}',
  ]) t.ok(text.includes(`\nmics_hook_server_${line}`), line)
})

t.test('calls are refused as those of the other hooks', async t => {
  let asked = 0
  const url = await serveHooks(t, 'fastify', options({ checkMessage: () => { asked++; return { allow: true } } }))
  const good = batchOf(['a'])
  const tampered = { ...good, body: Buffer.from(good.body).fill(1, good.body.length - 1) }
  t.equal((await send(url, tampered)).status, 401)
  t.equal((await send(url, callOf({}, { path: '/check-messages', secret: '' }))).status, 401)
  t.equal(asked, 0)
  t.equal((await send(url, good)).status, 200)
  t.equal((await send(url, good)).status, 401, 'a repeat')
  t.equal((await send(url, { ...good, method: 'GET' })).status, 405)
  t.equal(asked, 1)
})

t.test('a tenant switches it on with its settings', async t => {
  const config = { checkBatchMaxMessages: 64, checkBatchMaxWaitMs: 5 }
  const url = await serveHooks(t, 'node', options({ authenticate: () => ({ ok: true, userId: 'alice', config }) }))
  t.match(fromBinary(AuthResponseSchema, (await send(url, callOf())).body).config, config)
})
