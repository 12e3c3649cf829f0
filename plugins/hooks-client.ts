import fp from 'fastify-plugin'
import { HooksClient } from '../lib/hooks/hooks-client.js'
import { ThrottledLog } from '../lib/log/throttled-log.js'

declare module 'fastify' {
  interface FastifyInstance {
    hooksClient: HooksClient
  }
}

/** Asks the tenants' servers: auth, check-message or check-messages, get-group-members, get-offline-messages. */
export default fp(async app => {
  const hooksClient = new HooksClient({
    tenants: app.tenants,
    metrics: app.gatewayMetrics,
    throttledLog: new ThrottledLog(10_000),
    warn: app.log.warn.bind(app.log),
  })
  app.decorate('hooksClient', hooksClient)
  app.addHook('onClose', async () => hooksClient.close())
}, { name: 'hooks-client', dependencies: ['tenants', 'metrics'] })
