import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import fastifyStatic from '@fastify/static'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { DemoNode } from '../../lib/config/app-options.js'

// Beside this file in the sources and in dist/ alike.
const pageFolder = fileURLToPath(new URL('./page/', import.meta.url))

// The client of the SDK, which is built: at the same place from here in the sources and in dist/, too.
const clientFolder = fileURLToPath(new URL('../../sdk/client/dist/', import.meta.url))
const clientFiles = new Map([
  ['/mics-client.js', 'browser.min.js'],
  ['/mics-protocol.js', 'protocol.min.js'],
])

// Everything the page needs is served here; whatever somebody types into it can load or run nothing.
const contentSecurityPolicy = (connectTo: string[]): string => [
  "default-src 'none'",
  "script-src 'self'",
  // The client makes itself a worker for its heartbeats: timers of a hidden tab are too slow for them.
  'worker-src blob:',
  "style-src 'self'",
  "img-src 'self'",
  ["connect-src 'self'", ...connectTo].join(' '),
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

export interface DemoPageOptions {
  /** The nodes that the page connects to in turn. Default: the one that serves it. */
  nodes?: () => readonly DemoNode[]
}

/** Embedded mode only: the demo page at `/`, and at `/nodes.json` what it may connect to. */
export async function demoPage (app: FastifyInstance, { nodes = () => [] }: DemoPageOptions): Promise<void> {
  for (const file of clientFiles.values()) {
    if (existsSync(join(clientFolder, file))) continue
    throw new Error(`the demo page needs the client of sdk/client, which is not built: ${join(clientFolder, file)} is missing. Run npm run build:sdk`)
  }
  app.addHook('onSend', async (request, reply) => {
    reply.headers({
      'content-security-policy': contentSecurityPolicy(nodes().map(({ port }) => `ws://${cspHost(request)}:${port}`)),
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      // After an update of the gateway the next reload shows the new page.
      'cache-control': 'no-cache',
    })
  })
  let pagesLoaded = 0
  app.get('/nodes.json', async ({ socket }) => {
    const all = nodes()
    const own = all.findIndex(({ port }) => port === socket.localPort)
    // Of tabs opened one after the other each starts on another node: the first on the one that it came from.
    const first = all.length === 0 ? 0 : (Math.max(own, 0) + pagesLoaded++) % all.length
    return { nodes: all, first }
  })
  // A route a file instead of a wildcard: an unknown path stays the gateway's own 404.
  await app.register(fastifyStatic, { root: pageFolder, wildcard: false, cacheControl: false })
  for (const [path, file] of clientFiles) {
    app.get(path, async (_request, reply) => await reply.sendFile(file, clientFolder))
  }
}

/**
 * The host as the browser sees it: localhost, or an address in the local network. A policy cannot name an IPv6 address;
 * there it is any host, at the nodes' ports.
 */
function cspHost ({ hostname }: FastifyRequest): string {
  return /^[a-z0-9.-]+$/i.test(hostname) ? hostname : '*'
}
