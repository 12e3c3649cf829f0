import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { connect } from 'node:net'
import Fastify from 'fastify'
import t, { type Test } from 'tap'
import { hookServer } from '../../../sdk/hook-server/src/fastify.js'
import { createHookHandler, type HookHandlerOptions } from '../../../sdk/hook-server/src/index.js'
import { Latch } from '../../helpers/pull-gateway.js'
import { authAnswer, callOf, SECRET, send } from './caller.js'
import { forms, listen, serveHooks } from './forms.js'

/*
 * The hooks as a guest in an app that has routes, parsers and middleware of its own.
 */

function options (more: Partial<HookHandlerOptions> = {}): HookHandlerOptions {
  return {
    secrets: SECRET,
    authenticate: ({ token }: { token: string }) => ({ ok: true, userId: token }),
    logger: { warn () {}, error () {} },
    ...more,
  } as HookHandlerOptions
}

function fastify (t: Test, more: object = {}) {
  const app = Fastify(more)
  t.teardown(async () => await app.close())
  return app
}

t.test('the Fastify plugin at the root leaves the app its parsers and its routes', async t => {
  const app = fastify(t, { bodyLimit: 100, routerOptions: { ignoreTrailingSlash: true } })
  app.addContentTypeParser('application/protobuf', { parseAs: 'buffer' }, (_request, body, done) => { done(null, body) })
  app.post('/echo', async request => request.body)
  await app.register(hookServer, options())
  app.post('/later', async request => request.body)
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  for (const path of ['/echo', '/later']) {
    const answer = await fetch(url + path, { method: 'POST', body: '{"a":1}', headers: { 'content-type': 'application/json' } })
    t.same(await answer.json(), { a: 1 }, path)
  }
  t.equal(authAnswer(await send(url, callOf({}, { token: 'x'.repeat(1000) }))).userId, 'x'.repeat(1000), 'maxBodyBytes is what bounds it')
  t.equal((await send(url, { ...callOf(), path: '/auth/' })).status, 200)
  t.equal((await send(url, { ...callOf(), method: 'HEAD' })).status, 405)
})

t.test('two tenants with secrets of their own may each have the Fastify plugin, in one app', async t => {
  const app = fastify(t)
  await app.register(hookServer, { ...options({ secrets: 'one' }), prefix: '/one' })
  await app.register(hookServer, { ...options({ secrets: 'two' }), prefix: '/two' })
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  for (const secret of ['one', 'two']) {
    t.equal((await send(`${url}/${secret}`, callOf({}, { secret }))).status, 200)
    t.equal((await send(`${url}/${secret}`, callOf({}, { secret: 'other' }))).status, 401)
  }
})

t.test('the Fastify plugin names an option that is not for it', async t => {
  const app = fastify(t)
  await t.rejects(async () => await app.register(hookServer, { ...options(), basePath: '/mics' } as never), /basePath .* prefix/)
})

t.test('a Fastify app that closes answers the calls that it has', async t => {
  const go = new Latch()
  const asked = new Latch()
  const app = fastify(t)
  await app.register(hookServer, options({
    authenticate: async () => {
      asked.open()
      await go.opened
      return { ok: true, userId: 'alice' }
    },
  }))
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  const answer = send(url, callOf())
  await asked.opened
  const closed = app.close()
  go.open()
  t.equal((await answer).status, 200)
  await closed
})

/** What Express and Connect do where something is mounted at a path. */
function mount (path: string, listener: (request: IncomingMessage, response: ServerResponse) => void) {
  return (request: IncomingMessage, response: ServerResponse): void => {
    const url = request.url ?? ''
    if (url.startsWith(`${path}/`)) {
      request.url = url.slice(path.length)
      listener(request, response)
    } else {
      response.writeHead(404).end()
    }
  }
}

t.test('mounted as Express mounts it, it answers under that path', async t => {
  const hooks = createHookHandler(options())
  const url = await listen(t, mount('/mics', hooks.node))
  t.equal((await send(`${url}/mics`, callOf())).status, 200)
  t.equal((await send(url, callOf())).status, 404)
})

t.test('behind a parser of bodies it takes the bytes, and says so where they are gone', async t => {
  const lines: string[] = []
  const error = (fields: object): void => { lines.push(String((fields as { err: Error }).err.message)) }
  const hooks = createHookHandler(options({ logger: { warn () {}, error } }))
  type Parsed = IncomingMessage & { body?: unknown }
  const parsing = (keep: (bytes: Buffer) => unknown) => (request: Parsed, response: ServerResponse): void => {
    const chunks: Buffer[] = []
    request.on('data', chunk => chunks.push(chunk)).on('end', () => {
      request.body = keep(Buffer.concat(chunks))
      setImmediate(() => hooks.node(request, response))
    })
  }
  t.equal((await send(await listen(t, parsing(bytes => bytes)), callOf())).status, 200)
  t.equal((await send(await listen(t, parsing(() => ({}))), callOf())).status, 500)
  t.match(lines, [/mount the hooks in front of whatever parses bodies/])
})

for (const form of forms) {
  t.test(`${form}: calls that follow a refused one over the same connection are answered, also in one packet`, async t => {
    const url = new URL(await serveHooks(t, form, options()))
    const socket = connect(Number(url.port), url.hostname)
    t.teardown(() => socket.destroy())
    const raw = ({ path, headers, body }: ReturnType<typeof callOf>): Buffer => Buffer.concat([
      Buffer.from([`POST ${path} HTTP/1.1`, 'Host: x', `Content-Length: ${body.byteLength}`,
        ...Object.entries(headers).filter(([name]) => name !== 'content-length').map(([name, value]) => `${name}: ${value}`)].join('\r\n') + '\r\n\r\n'),
      body,
    ])
    // What a fetch handler leaves unread is its runtime's to read.
    const large = { ...callOf(), path: '/other', body: Buffer.alloc(form === 'fetch' ? 1000 : 300_000) }
    socket.write(Buffer.concat([
      raw(callOf({}, { secret: 'guessed' })), raw(large), raw({ ...callOf(), headers: { 'content-type': 'text/plain' } }), raw(callOf()),
    ]))
    let text = ''
    socket.on('data', chunk => { text += chunk.toString('latin1') })
    while (text.split('HTTP/1.1 ').length < 5 && !socket.destroyed) await Promise.race([once(socket, 'data'), once(socket, 'close')])
    t.same([...text.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status), ['401', '404', '415', '200'])
  })

  t.test(`${form}: a call that waits to be told to go on, and one that is compressed, get an answer`, async t => {
    const url = new URL(await serveHooks(t, form, options()))
    const { headers, body } = callOf()
    const socket = connect(Number(url.port), url.hostname)
    t.teardown(() => socket.destroy())
    const lines = Object.entries(headers).filter(([name]) => name !== 'content-length').map(([name, value]) => `${name}: ${value}`)
    socket.write(['POST /auth HTTP/1.1', 'Host: x', `Content-Length: ${body.byteLength}`, 'Expect: 100-continue', ...lines].join('\r\n') + '\r\n\r\n')
    const [first] = await once(socket, 'data')
    t.match(String(first), /^HTTP\/1\.1 100 /)
    socket.write(body)
    const [second] = await once(socket, 'data')
    t.match(second.toString('latin1'), /^HTTP\/1\.1 200 /)
    const compressed = await send(url.origin, { ...callOf(), headers: { ...callOf().headers, 'content-encoding': 'gzip' } })
    t.equal(compressed.status, 415)
    t.match(compressed.text, /content-encoding/i)
  })
}
