import type { FastifyInstance } from 'fastify'
import { connectParams } from '../lib/session/connect-params.js'

/** Seconds after which a client refused by a draining node may try again: another node answers then. */
const RETRY_AFTER_SECONDS = '1'

/** `GET /ws`: where clients connect. */
export default async function wsRoute (app: FastifyInstance): Promise<void> {
  app.route({
    method: 'GET',
    url: '/ws',
    config: { disableMetrics: true },
    onRequest: async (_request, reply) => {
      if (!app.lifecycle.isDraining) return
      await reply.code(503).header('retry-after', RETRY_AFTER_SECONDS).send({ error: 'this node is draining' })
    },
    handler: async (_request, reply) => {
      await reply.code(426).header('upgrade', 'websocket').header('connection', 'upgrade')
        .send({ error: 'connect with a WebSocket: /ws?tenantId=...&token=...&deviceId=...' })
    },
    wsHandler: (ws, request) => {
      // The plugin's error listener holds request and reply for as long as the connection lives. ws itself closes a
      // connection that breaks the protocol, and the session hears of every close.
      ws.removeAllListeners('error')
      ws.on('error', ignore)
      // Never rejects; not returned, for the same reason as above.
      app.handshakes.run(ws, request.raw.socket, connectParams(request.query, request.headers['sec-websocket-protocol']))
    },
  })
}

function ignore (): void {}
