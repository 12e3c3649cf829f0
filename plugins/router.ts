import fp from 'fastify-plugin'
import { Router } from '../lib/routing/router.js'

declare module 'fastify' {
  interface FastifyInstance {
    messageRouter: Router
  }
}

/** Takes messages to the devices that should get them. */
export default fp(async app => {
  app.decorate('messageRouter', new Router({
    connections: app.connections,
    offline: app.offlineBuffer,
    limits: {
      groupChunkSize: app.config.groupRouteChunkSize,
      groupOfflineMaxUsers: app.config.groupOfflineBufferMaxUsers,
    },
    now: Date.now,
  }))
}, { name: 'router', dependencies: ['config', 'connections', 'offline-buffer'] })
