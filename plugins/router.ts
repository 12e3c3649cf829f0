import fp from 'fastify-plugin'
import { FanOut } from '../lib/routing/fan-out.js'
import { Router } from '../lib/routing/router.js'

declare module 'fastify' {
  interface FastifyInstance {
    messageRouter: Router
    fanOut: FanOut
  }
}

/** Takes messages to the devices that should get them. */
export default fp(async app => {
  app.decorate('fanOut', new FanOut())
  app.decorate('messageRouter', new Router({
    connections: app.connections,
    offline: app.offlineBuffer,
    fanOut: app.fanOut,
    limits: {
      groupChunkSize: app.config.groupRouteChunkSize,
      groupOfflineMaxUsers: app.config.groupOfflineBufferMaxUsers,
    },
    now: Date.now,
  }))
}, { name: 'router', dependencies: ['config', 'connections', 'offline-buffer'] })
