import fp from 'fastify-plugin'
import { HandshakeGate } from '../lib/admission/handshake-gate.js'

declare module 'fastify' {
  interface FastifyInstance {
    handshakeGate: HandshakeGate
  }
}

/** How many connections may be let in at once and a second. */
export default fp(async app => {
  const handshakeGate = new HandshakeGate(app.config.handshakeMaxPerSecond, app.config.handshakeMaxInProgress)
  app.decorate('handshakeGate', handshakeGate)
  app.gatewayMetrics.nodeGauge('handshakes_in_progress', 'Clients waiting for their auth hook', [],
    emit => emit({}, handshakeGate.inProgress))
}, { name: 'admission', dependencies: ['config', 'metrics'] })
