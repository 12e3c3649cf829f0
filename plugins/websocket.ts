import type { ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import fp from 'fastify-plugin'
import websocket from '@fastify/websocket'
import { CloseCode } from '../lib/protocol/close-codes.js'
import { FRAME_OVERHEAD_BYTES, MAX_RECEIVED_FRAME_FACTOR } from '../lib/protocol/limits.js'
import { SUBPROTOCOL } from '../lib/session/connect-params.js'

/**
 * Milliseconds for a client to take what the socket still holds and to answer the close frame. A client that does not
 * is cut off, and only then is it known what it missed.
 */
const CLOSE_FRAME_TIMEOUT_MS = 10_000

/** The same, when the process ends. */
const CLOSE_TIMEOUT_MS = 1000

/** The WebSocket server, and its end. */
export default fp(async app => {
  const options = {
    maxPayload: (app.config.maxMessageBytes + FRAME_OVERHEAD_BYTES) * MAX_RECEIVED_FRAME_FACTOR,
    perMessageDeflate: false,
    closeTimeout: CLOSE_FRAME_TIMEOUT_MS,
    handleProtocols: (protocols: Set<string>) => protocols.has(SUBPROTOCOL) ? SUBPROTOCOL : false as const,
  }
  await app.register(websocket, {
    options,
    // The drain has closed the connections, with a code. What is left here is a peer that does not answer its close
    // frame, and the upgrade listener: with it in place, a late upgrade would hold close() open.
    preClose: done => {
      app.server.removeAllListeners('upgrade')
      const { clients } = app.websocketServer
      // Left open are only clients whose handshake is under way.
      for (const client of clients) client.close(CloseCode.DRAINING, 'this node is draining')
      const timer = setTimeout(() => {
        for (const client of clients) client.terminate()
      }, CLOSE_TIMEOUT_MS)
      Promise.all([...clients].map(client => new Promise(resolve => client.once('close', resolve)))).then(() => {
        clearTimeout(timer)
        done()
      }, done)
    },
  })
  // Behind a request that is not answered yet the plugin can do nothing with an upgrade but log it, and the socket,
  // which nobody reads any more, would stay open for ever. No WebSocket client sends one there.
  const [upgrade] = app.server.listeners('upgrade')
  app.server.off('upgrade', upgrade as () => void)
  app.server.on('upgrade', (request, socket, head) => {
    if (isAnswering(socket)) socket.destroy()
    else upgrade.call(app.server, request, socket, head)
  })
  // Left alone, it would accept the upgrade of any other route, close it at once, and log its URL, query and all.
  app.addHook('onRequest', async (request, reply) => {
    if (request.ws && request.routeOptions.url !== '/ws') await reply.code(404).send({ error: 'no WebSocket here: connect to /ws' })
  })
}, { name: 'websocket', dependencies: ['config'] })

/** Whether a response to an earlier request is still to be written to it. Node has no public name for that. */
function isAnswering (socket: Duplex & { _httpMessage?: ServerResponse | null }): boolean {
  return socket._httpMessage !== undefined && socket._httpMessage !== null
}
