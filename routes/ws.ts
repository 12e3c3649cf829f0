import type { ServerResponse } from 'node:http'
import type { FastifyInstance } from 'fastify'
import { connectParams } from '../lib/session/connect-params.js'

/** Seconds after which a client refused by a draining node may try again: another node answers then. */
const RETRY_AFTER_SECONDS = '1'

/** `GET /ws`: where clients connect. */
export default async function wsRoute (app: FastifyInstance): Promise<void> {
  app.decorateRequest('upgradeResponse', null)
  app.route({
    method: 'GET',
    url: '/ws',
    config: { disableMetrics: true },
    onRequest: async (request, reply) => {
      request.upgradeResponse = reply.raw
      if (!app.lifecycle.isDraining) return
      await reply.code(503).header('retry-after', RETRY_AFTER_SECONDS).send({ error: 'this node is draining' })
    },
    handler: async (_request, reply) => {
      await reply.code(426).header('upgrade', 'websocket').header('connection', 'upgrade')
        .send({ error: 'connect with a WebSocket: /ws?tenantId=...&token=...&deviceId=...' })
    },
    wsHandler: (ws, request) => {
      // What is kept for a connection is memory of every idle client. The plugin's error listener and the response that
      // the plugin gave the socket hold request and reply for as long as the connection lives. ws itself closes a
      // connection that breaks the protocol, and the session hears of every close.
      request.upgradeResponse?.detachSocket(request.raw.socket)
      ws.removeAllListeners('error')
      ws.on('error', ignore)
      // Never rejects; not returned, for the same reason as above.
      app.handshakes.run(ws, request.raw.socket, connectParams(request.query, request.headers['sec-websocket-protocol']))
    },
  })
}

declare module 'fastify' {
  interface FastifyRequest {
    /** The response that an upgraded socket was given, and has no use for. */
    upgradeResponse: ServerResponse | null
  }
}

function ignore (): void {}
