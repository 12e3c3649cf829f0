import fp from 'fastify-plugin'
import { GatewayEvents } from '../lib/mq/gateway-events.js'

declare module 'fastify' {
  interface FastifyInstance {
    gatewayEvents: GatewayEvents
  }
}

/** Tells the tenants' backends what happens. */
export default fp(async app => {
  app.decorate('gatewayEvents', new GatewayEvents(undefined, Date.now))
}, { name: 'mq-publisher', dependencies: ['config', 'metrics', 'tenants'] })
