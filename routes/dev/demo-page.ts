import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import fastifyStatic from '@fastify/static'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { DemoNode } from '../../lib/config/app-options.js'
import { ClientNotBuiltError } from './client-not-built-error.js'

// Beside this file in the sources and in dist/ alike.
const pageFolder = fileURLToPath(new URL('./page/', import.meta.url))

// Where scripts/build-sdk.js puts the bundles of the client; scripts/build.js puts them at the same place in dist/.
const bundles = fileURLToPath(new URL('../../sdk/client/dist/', import.meta.url))
const bundleAt = { '/mics-client.js': 'browser.min.js', '/mics-protocol.js': 'protocol.min.js' }

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
  /** The folder of the client's bundles. Default: the one that the build puts them into. */
  clientFolder?: string
}

/**
 * Embedded mode only: the demo page at `/`, and at `/nodes.json` what it may connect to.
 * @throws {ClientNotBuiltError} where the client is missing that the page is made of
 */
export async function demoPage (
  app: FastifyInstance, { nodes = () => [], clientFolder = bundles }: DemoPageOptions
): Promise<void> {
  app.addHook('onSend', async (request, reply) => {
    reply.headers({
      'content-security-policy': contentSecurityPolicy(nodes().map(({ port }) => `ws://${cspHost(request)}:${port}`)),
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      // After an update of the gateway the next reload shows the new page.
      'cache-control': 'no-cache',
    })
  })
  for (const [path, bundle] of Object.entries(bundleAt)) {
    if (!existsSync(join(clientFolder, bundle))) throw new ClientNotBuiltError(join(clientFolder, bundle))
    app.get(path, async (_request, reply) => await reply.sendFile(bundle, clientFolder))
  }
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
}

/**
 * The host as the browser sees it: localhost, or an address in the local network. A policy cannot name an IPv6 address;
 * there it is any host, at the nodes' ports.
 */
function cspHost ({ hostname }: FastifyRequest): string {
  return /^[a-z0-9.-]+$/i.test(hostname) ? hostname : '*'
}
