import { connect } from 'node:net'
import { text as textOf } from 'node:stream/consumers'
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire'
import t from 'tap'
import type { HookHandlerOptions, RefusedCall } from '../../../sdk/hook-server/src/index.js'
import { until } from '../../helpers/until.js'
import { authAnswer, callOf, SECRET, send, type Call } from './caller.js'
import { forms, serveHooks } from './forms.js'

const lines: string[] = []
const logger = {
  warn: (_fields: object, message: string) => { lines.push(message) },
  error: (_fields: object, message: string) => { lines.push(message) },
}

function options (more: Partial<HookHandlerOptions> = {}): HookHandlerOptions {
  return {
    secrets: SECRET,
    authenticate: ({ token }: { token: string }) => ({ ok: true, userId: token }),
    logger,
    ...more,
  } as HookHandlerOptions
}

for (const form of forms) {
  t.test(`${form}: what is no call of the gateway's is refused, with what to do`, async t => {
    let asked = 0
    const url = await serveHooks(t, form, options({
      maxBodyBytes: 1000,
      authenticate: () => { asked++; return { ok: true, userId: 'alice' } },
    }))
    const good = callOf()
    const spoiled = Buffer.from(good.body)
    spoiled[spoiled.length - 1] ^= 1
    const without = (call: Call, ...names: string[]): Call =>
      ({ ...call, headers: Object.fromEntries(Object.entries(call.headers).filter(([name]) => !names.includes(name))) })
    const withHeader = (name: string, value: string): Call => ({ ...good, headers: { ...good.headers, [name]: value } })
    const minutes = (count: number): bigint => BigInt(Date.now() + count * 60_000)
    const cases: Array<[what: string, call: Call, status: number, text: RegExp]> = [
      ['unknown path', { ...good, path: '/other' }, 404, form === 'fastify' ? /not found/i : /\/auth, \/check-message/],
      ['another method', { ...good, method: 'PUT' }, 405, /POST/],
      ['a GET', { ...good, method: 'GET' }, 405, /POST/],
      ['JSON', withHeader('content-type', 'application/json'), 415, /application\/protobuf/],
      ['no content type', without(good, 'content-type'), 415, /application\/protobuf/],
      ['too large', { ...good, body: Buffer.alloc(1001) }, 413, /maxBodyBytes/],
      ['no protobuf', { ...good, body: Buffer.from('{}') }, 400, /protobuf/],
      ['an empty body', { ...good, body: Buffer.alloc(0) }, 400, /meta is missing/],
      ['unsigned', callOf({}, { secret: '' }), 401, /meta\.sign is empty/],
      ['another secret', callOf({}, { secret: 'guessed' }), 401, /meta\.sign is wrong/],
      ['a changed body', { ...good, body: spoiled }, 401, /meta\.sign is wrong/],
      ['a wrong header', withHeader('x-mics-signature', `v1=${'0'.repeat(64)}`), 401, /x-mics-signature is wrong/],
      ['a short header', withHeader('x-mics-signature', 'v1=00'), 401, /x-mics-signature is wrong/],
      ['a header of another time', withHeader('x-mics-timestamp', '1'), 401, /x-mics-signature is wrong/],
      ['too old', callOf({ timestampMs: minutes(-6) }), 401, /36\d seconds off/],
      ['too far ahead', callOf({ timestampMs: minutes(6) }), 401, /seconds off/],
      ['no request id', callOf({ requestId: '' }), 400, /request_id/],
    ]
    for (const [what, call, status, text] of cases) {
      const answer = await send(url, call)
      t.equal(answer.status, status, what)
      t.match(answer.text, text, what)
      if (status === 405) t.equal(answer.headers.allow, 'POST', what)
    }
    t.equal(asked, 0, 'no handler has heard of them')
    t.equal((await send(url, good)).status, 200, 'the next call is answered')
    t.equal((await send(url, without(callOf(), 'x-mics-signature', 'x-mics-timestamp'))).status, 200,
      'meta.sign is enough: other gateways send no header')
  })

  t.test(`${form}: a recorded call is answered once`, async t => {
    const url = await serveHooks(t, form, options())
    const call = callOf()
    const statuses = (await Promise.all(Array.from({ length: 8 }, async () => await send(url, call))))
      .map(({ status }) => status).sort()
    t.same(statuses, [200, 401, 401, 401, 401, 401, 401, 401])
    t.match((await send(url, call)).text, /answered before/)
    t.equal((await send(url, callOf())).status, 200, 'another call is')
  })

  t.test(`${form}: a chunked body that grows too large is refused when it does, and its connection ends`, async t => {
    const url = new URL(await serveHooks(t, form, options({ maxBodyBytes: 1000 })))
    const socket = connect(Number(url.port), url.hostname)
    socket.on('error', () => {})
    const chunk = `200\r\n${'x'.repeat(512)}\r\n`
    socket.write('POST /auth HTTP/1.1\r\nHost: x\r\nContent-Type: application/protobuf\r\nTransfer-Encoding: chunked\r\n\r\n')
    socket.write(chunk + chunk)
    // The body never ends, and the answer comes all the same.
    t.match(await textOf(socket), /^HTTP\/1\.1 413 /)
  })

  t.test(`${form}: a body that never ends is given up`, async t => {
    const url = new URL(await serveHooks(t, form, options({ bodyTimeoutMs: 50 })))
    const socket = connect(Number(url.port), url.hostname)
    socket.on('error', () => {})
    socket.write('POST /auth HTTP/1.1\r\nHost: x\r\nContent-Type: application/protobuf\r\nContent-Length: 100\r\n\r\nabc')
    t.match(await textOf(socket), /^HTTP\/1\.1 408 [^]*did not end within 50 ms/)
  })

  t.test(`${form}: bodies that never end fill no memory, and when they are given up others are read`, async t => {
    const url = new URL(await serveHooks(t, form, options({ maxBodyBytes: 2000, maxBytesInProgress: 2500 })))
    const sockets = Array.from({ length: 3 }, () => {
      const socket = connect(Number(url.port), url.hostname)
      socket.on('error', () => {})
      const headers = ['Host: x', 'Content-Type: application/protobuf', 'Content-Length: 2000']
      socket.write(`POST /auth HTTP/1.1\r\n${headers.join('\r\n')}\r\n\r\n${'x'.repeat(1000)}`)
      return socket
    })
    // Whichever comes last is told: none of the others has an answer.
    t.match(await Promise.race(sockets.map(async socket => await textOf(socket))), /^HTTP\/1\.1 503 [^]*maxBytesInProgress/)
    for (const socket of sockets) socket.destroy()
    const large = async (): Promise<number> => (await send(url.origin, callOf({}, { token: 'x'.repeat(1700) }))).status
    await until('the room is free', async () => await large() === 200)
    for (let i = 0; i < 5; i++) t.equal(await large(), 200, 'what was answered holds none')
  })

  t.test(`${form}: a secret is changed without a refused call`, async t => {
    const url = await serveHooks(t, form, options({ secrets: ['new', 'old'] }))
    for (const secret of ['old', 'new']) t.equal((await send(url, callOf({}, { secret }))).status, 200, secret)
    t.equal((await send(url, callOf({}, { secret: 'older' }))).status, 401)
  })
}

t.test('each tenant of a server has secrets of its own, and others are not served', async t => {
  const secrets = async (tenantId: string) => ({ t1: 'one', t2: ['two', 'zwei'] })[tenantId]
  const url = await serveHooks(t, 'node', options({ secrets }))
  const status = async (tenantId: string, secret: string): Promise<number> =>
    (await send(url, callOf({ tenantId }, { secret }))).status
  t.equal(await status('t1', 'one'), 200)
  t.equal(await status('t2', 'zwei'), 200)
  t.equal(await status('t1', 'two'), 401)
  const unknown = await send(url, callOf({ tenantId: 't3' }))
  t.equal(unknown.status, 401)
  t.match(unknown.text, /"t3" is not served/)
  const one = await serveHooks(t, 'node', options({ tenantIds: ['t1'] }))
  t.equal((await send(one, callOf())).status, 200)
  t.equal((await send(one, callOf({ tenantId: 't2' }))).status, 401, 'though its secret is the same')
})

t.test('a request id is one call\'s of one tenant', async t => {
  const url = await serveHooks(t, 'node', options())
  for (const tenantId of ['a', 'ab']) t.equal((await send(url, callOf({ tenantId, requestId: 'bc' }))).status, 200)
  t.equal((await send(url, callOf({ tenantId: 'a', requestId: 'bbc' }))).status, 200)
})

t.test('unsigned calls are answered only by a server that was told to', async t => {
  const url = await serveHooks(t, 'node', options({ secrets: undefined, allowUnsigned: true } as Partial<HookHandlerOptions>))
  const unsigned = callOf({}, { secret: '' })
  t.equal(authAnswer(await send(url, unsigned)).userId, 'valid:alice')
  t.equal((await send(url, unsigned)).status, 200, 'again and again')
})

t.test('with requireHeaderSignature meta.sign alone is not enough', async t => {
  const url = await serveHooks(t, 'node', options({ requireHeaderSignature: true }))
  t.equal((await send(url, callOf())).status, 200)
  const { 'x-mics-signature': _, ...headers } = callOf().headers
  const answer = await send(url, { ...callOf(), headers })
  t.equal(answer.status, 401)
  t.match(answer.text, /proxy/)
})

t.test('fields of a later version are signed with the rest, wherever they are', async t => {
  const url = await serveHooks(t, 'node', options())
  const later = (field: number): Uint8Array =>
    new BinaryWriter().tag(field, WireType.LengthDelimited).string('from a later version').finish()
  const token = new BinaryWriter().tag(2, WireType.LengthDelimited).string('bob').finish()
  const call = callOf({}, { fields: Buffer.concat([later(20), token, later(7)]) })
  const answer = await send(url, call)
  t.equal(authAnswer(answer).userId, 'bob')
  const added = Buffer.concat([callOf().body, later(20)])
  t.equal((await send(url, { ...callOf(), body: added })).status, 401, 'one that was added on the way is noticed')
})

t.test('onRefused hears why and, where it was known, of which call; what it throws changes nothing', async t => {
  const heard: RefusedCall[] = []
  const onRefused = (call: RefusedCall): void => {
    heard.push(call)
    throw new Error('broken')
  }
  const url = await serveHooks(t, 'node', options({ onRefused }))
  t.equal((await send(url, { ...callOf(), path: '/other' })).status, 404)
  t.equal((await send(url, callOf({ requestId: 'r1' }, { secret: 'guessed' }))).status, 401)
  t.match(heard, [
    { reason: 'unknown_path', status: 404, operation: undefined },
    { reason: 'wrong_signature', status: 401, message: /meta\.sign/, operation: 'auth', tenantId: 't1', requestId: 'r1' },
  ])
})

t.test('what a stranger calls itself neither fills a log nor writes to a terminal', async t => {
  const heard: Array<object & { message?: string }> = []
  const url = await serveHooks(t, 'node', options({
    tenantIds: ['t1'],
    onRefused: call => { heard.push(call) },
    logger: { error () {}, warn: (fields, message) => { heard.push({ ...fields, message }) } },
  }))
  const odd = '\x1b[2J\x9b2J\n%o\u2028'
  const answer = await send(url, callOf({ tenantId: odd, requestId: 'r'.repeat(100_000), traceId: odd }))
  t.equal(answer.status, 401)
  await send(url, { ...callOf(), path: `/${'x'.repeat(10_000)}` })
  t.equal(heard.length, 4)
  for (const { message, ...fields } of heard) {
    const text = Object.values(fields).join('') + message
    t.ok(text.length < 2000, `${text.length} characters`)
    t.notMatch(text, /[\p{Cc}\u2028]/u)
  }
})

t.test('a message of many signatures, or of groups within groups, costs no memory and is refused', async t => {
  const url = await serveHooks(t, 'node', options())
  const call = callOf()
  const signs = Buffer.alloc(2_000_000, Buffer.from([0x22, 0x00, 0x28, 0x00]))
  const body = new BinaryWriter().tag(1, WireType.LengthDelimited).bytes(signs).finish()
  const many = await send(url, { ...call, body })
  t.equal(many.status, 400)
  t.match(many.text, /field 4 is there twice/)
  t.equal((await send(url, { ...call, body: Buffer.alloc(2_000_000, 0x7b) })).status, 400)
  t.equal((await send(url, call)).status, 200)
})

t.test('refusals are in the log, a kind at most once in 10 seconds', async t => {
  lines.length = 0
  const url = await serveHooks(t, 'node', options())
  for (let i = 0; i < 3; i++) await send(url, callOf({}, { secret: 'guessed' }))
  await send(url, callOf({}, { secret: '' }))
  t.same(lines.map(line => line.slice(0, 40)), [
    'hook call refused: meta.sign is wrong: g', 'hook call refused: meta.sign is empty: g',
  ])
})
