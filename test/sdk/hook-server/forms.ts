import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import Fastify from 'fastify'
import type { Test } from 'tap'
import { hookServer, type HookServerOptions } from '../../../sdk/hook-server/src/fastify.js'
import { createHookHandler, type HookHandlerOptions } from '../../../sdk/hook-server/src/index.js'

/** The kinds of servers that hooks can be served from. */
export type Form = 'node' | 'fetch' | 'fastify'

export const forms: readonly Form[] = ['node', 'fetch', 'fastify']

/** Hooks on a free port, at the root or under `basePath`; closed when the test ends. Resolves with the base URL. */
export async function serveHooks (t: Test, form: Form, options: HookHandlerOptions): Promise<string> {
  const { basePath = '/', ...others } = options
  if (form === 'fastify') {
    const app = Fastify({ forceCloseConnections: true })
    t.teardown(async () => await app.close())
    const prefix = basePath === '/' ? '' : basePath
    await app.register(hookServer, { ...others, prefix, metricsPath: '/metrics' } as HookServerOptions & { prefix: string })
    return await app.listen({ host: '127.0.0.1', port: 0 }) + prefix
  }
  const hooks = createHookHandler(options)
  return await listen(t, form === 'node' ? hooks.node : listenerOf(hooks.fetch)) + (basePath === '/' ? '' : basePath)
}

/** A plain server on a free port, closed when the test ends. */
export async function listen (t: Test, listener: RequestListener): Promise<string> {
  const server = createServer(listener)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(async () => {
    const closed = once(server, 'close')
    server.close()
    server.closeAllConnections()
    await closed
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** What a framework does that serves fetch handlers on Node. */
function listenerOf (fetch: (request: Request) => Promise<Response>): RequestListener {
  return (request, response) => {
    const gone = new AbortController()
    response.on('close', () => gone.abort())
    request.on('error', () => {})
    const hasBody = request.method !== 'GET' && request.method !== 'HEAD'
    fetch(new Request(`http://${request.headers.host}${request.url}`, {
      method: request.method,
      headers: request.headers as Record<string, string>,
      signal: gone.signal,
      ...(hasBody ? { body: Readable.toWeb(request) as ReadableStream, duplex: 'half' } : {}),
    } as RequestInit)).then(async answer => {
      response.writeHead(answer.status, Object.fromEntries(answer.headers))
      response.end(Buffer.from(await answer.arrayBuffer()))
    }).catch(() => response.destroy())
  }
}
