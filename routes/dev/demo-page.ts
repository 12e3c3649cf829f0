import { fileURLToPath } from 'node:url'
import fastifyStatic from '@fastify/static'
import type { FastifyInstance } from 'fastify'

// Beside this file in the sources and in dist/ alike.
const pageFolder = fileURLToPath(new URL('./page/', import.meta.url))

// Everything the page needs is in its folder; whatever somebody types into it can load or run nothing.
const contentSecurityPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "worker-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

/** Embedded mode only: the demo page at `/`. */
export async function demoPage (app: FastifyInstance): Promise<void> {
  app.addHook('onSend', async (_request, reply) => {
    reply.headers({
      'content-security-policy': contentSecurityPolicy,
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      // After an update of the gateway the next reload shows the new page.
      'cache-control': 'no-cache',
    })
  })
  // A route a file instead of a wildcard: an unknown path stays the gateway's own 404.
  await app.register(fastifyStatic, { root: pageFolder, wildcard: false, decorateReply: false, cacheControl: false })
}
