import fp from 'fastify-plugin'
import { Heartbeats } from '../lib/heartbeat/heartbeats.js'

declare module 'fastify' {
  interface FastifyInstance {
    heartbeats: Heartbeats
  }
}

/** Closes silent connections, and keeps the others open through proxies. */
export default fp(async app => {
  const heartbeats = new Heartbeats(app.config.wsKeepaliveIntervalSeconds * 1000)
  app.decorate('heartbeats', heartbeats)
  app.addHook('onClose', async () => heartbeats.close())
}, { name: 'heartbeat', dependencies: ['config'] })
