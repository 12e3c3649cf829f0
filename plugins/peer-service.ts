import fp from 'fastify-plugin'
import { LocalPeerService } from '../lib/cluster/local-peer-service.js'
import { LatelyReceived } from '../lib/cluster/lately-received.js'

declare module 'fastify' {
  interface FastifyInstance {
    peerService: LocalPeerService
  }
}

/** How long after a message the same may come by another way, in times of what a peer may take to answer. */
const LATELY_FACTOR = 60

/** What this node does for its peers. */
export default fp(async app => {
  const lately = new LatelyReceived(LATELY_FACTOR * app.config.peerTimeoutMs)
  app.handovers.onLeaving = entry => lately.forget(entry)
  app.handovers.onStaying = entry => { lately.hold(entry) }
  app.gatewayMetrics.nodeCounter('peer_repeats_total', 'Messages that peers brought once more, by another way, and that were dropped',
    () => lately.repeated)
  app.decorate('peerService', new LocalPeerService({
    connections: app.connections,
    buffer: app.offlineBuffer,
    index: app.offlineIndex,
    handovers: app.handovers,
    directory: app.nodeDirectory,
    presence: app.presence,
    arrivals: app.recentArrivals,
    lately,
    trace: app.messageTrace,
    tracing: app.tracing,
    settleMs: app.config.peerTimeoutMs / 4,
  }))
}, { name: 'peer-service', dependencies: ['config', 'metrics', 'tracing', 'message-trace', 'node-directory', 'connections', 'offline-buffer', 'presence'] })
