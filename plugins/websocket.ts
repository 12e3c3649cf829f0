import fp from 'fastify-plugin'
import websocket from '@fastify/websocket'
import { FRAME_OVERHEAD_BYTES, MAX_RECEIVED_FRAME_FACTOR } from '../lib/protocol/limits.js'
import { SUBPROTOCOL } from '../lib/session/connect-params.js'

/** Milliseconds for clients to answer the close frame when the process ends. */
const CLOSE_TIMEOUT_MS = 1000

/** The WebSocket server, and its end. */
export default fp(async app => {
  await app.register(websocket, {
    options: {
      maxPayload: (app.config.maxMessageBytes + FRAME_OVERHEAD_BYTES) * MAX_RECEIVED_FRAME_FACTOR,
      perMessageDeflate: false,
      handleProtocols: protocols => protocols.has(SUBPROTOCOL) ? SUBPROTOCOL : false,
    },
    // The drain has closed the connections, with a code. What is left here is a peer that does not answer its close
    // frame, and the upgrade listener: with it in place, a late upgrade would hold close() open.
    preClose: done => {
      app.server.removeAllListeners('upgrade')
      const { clients } = app.websocketServer
      for (const client of clients) client.close(1001)
      const timer = setTimeout(() => {
        for (const client of clients) client.terminate()
      }, CLOSE_TIMEOUT_MS)
      Promise.all([...clients].map(client => new Promise(resolve => client.once('close', resolve)))).then(() => {
        clearTimeout(timer)
        done()
      }, done)
    },
  })
}, { name: 'websocket', dependencies: ['config'] })
