import fp from 'fastify-plugin'
import { LocalPeerService } from '../lib/cluster/local-peer-service.js'
import type { PeerService } from '../lib/cluster/peers.js'

declare module 'fastify' {
  interface FastifyInstance {
    peerService: PeerService
  }
}

/** What this node does for its peers. */
export default fp(async app => {
  app.decorate('peerService', new LocalPeerService({
    connections: app.connections,
    buffer: app.offlineBuffer,
    index: app.offlineIndex,
    handovers: app.handovers,
    presence: app.presence,
    arrivals: app.recentArrivals,
  }))
}, { name: 'peer-service', dependencies: ['connections', 'offline-buffer', 'presence'] })
