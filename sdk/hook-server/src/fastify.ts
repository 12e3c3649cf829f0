import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify'
import { HookHandler } from './hook-handler.js'
import { operationNames } from './operations.js'
import type { HookHandlerOptions } from './options.js'

/**
 * The options of a hook handler. Instead of `basePath` there is the prefix that the plugin is registered with; `logger`
 * is the server's, unless given.
 */
export type HookServerOptions = HookHandlerOptions & {
  /** Serves the metrics there, within the prefix. Default: nowhere. */
  metricsPath?: string
}

/** A Fastify plugin: `app.register(hookServer, { prefix: '/mics', secrets, authenticate })`. */
export const hookServer: FastifyPluginAsync<HookServerOptions> = async (app, options) => {
  if (options.basePath !== undefined) throw new TypeError('basePath is not for Fastify: register the plugin with a prefix')
  const hooks = new HookHandler({ logger: app.log, ...options, basePath: '/' })
  // The handler reads bodies by itself: it needs the bytes that were signed, and knows how many there may be.
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', (_request, _payload, done) => done(null))
  const answer = async (path: string, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
    const { status, headers, body } = await hooks.answerNode(request.raw, reply.raw, path)
    return await reply.code(status).headers(headers).send(Buffer.from(body.buffer, body.byteOffset, body.byteLength))
  }
  for (const operation of operationNames) {
    app.all(`/${operation}`, async (request, reply) => await answer(`/${operation}`, request, reply))
  }
  if (options.metricsPath !== undefined) {
    app.get(options.metricsPath, async (_request, reply) =>
      await reply.type('text/plain; version=0.0.4; charset=utf-8').send(hooks.metrics()))
  }
}

export default hookServer
