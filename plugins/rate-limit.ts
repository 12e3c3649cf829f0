import fp from 'fastify-plugin'
import { TenantRateLimit } from '../lib/rate-limit/tenant-rate-limit.js'

declare module 'fastify' {
  interface FastifyInstance {
    rateLimit: TenantRateLimit
  }
}

/** Messages a second of each tenant. */
export default fp(async app => {
  const rateLimit = new TenantRateLimit()
  app.decorate('rateLimit', rateLimit)
  app.tenants.on('removed', tenantId => rateLimit.forget(tenantId))
}, { name: 'rate-limit', dependencies: ['tenants'] })
