import fp from 'fastify-plugin'
import { FanOut } from '../lib/routing/fan-out.js'
import { OfflineDelivery } from '../lib/routing/offline-delivery.js'
import { Router } from '../lib/routing/router.js'
import { Sequence } from '../lib/routing/sequence.js'

declare module 'fastify' {
  interface FastifyInstance {
    messageRouter: Router
    fanOut: FanOut
  }
}

/** Takes messages to the devices that should get them. */
export default fp(async app => {
  const { connections, handovers, nodeDirectory: directory, offlineBuffer: buffer, peers } = app
  app.decorate('fanOut', new FanOut())
  app.decorate('messageRouter', new Router({
    connections,
    cache: app.routeCache,
    peers,
    buffer,
    handovers,
    directory,
    offline: new OfflineDelivery({
      directory,
      peers,
      buffer,
      events: app.gatewayEvents,
      index: app.offlineIndex,
      settleMs: app.config.peerTimeoutMs,
      now: Date.now,
    }),
    fanOut: app.fanOut,
    sequence: new Sequence(),
    limits: {
      groupChunkSize: app.config.groupRouteChunkSize,
      groupOfflineMaxUsers: app.config.groupOfflineBufferMaxUsers,
    },
  }))
}, {
  name: 'router',
  dependencies: ['config', 'mq-publisher', 'connections', 'node-directory', 'online-routes', 'peer-clients', 'offline-buffer'],
})
