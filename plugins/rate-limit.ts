import fp from 'fastify-plugin'
import type { RateLimit } from '../lib/rate-limit/rate-limit.js'
import { MemoryRateLimit } from '../lib/rate-limit/memory-rate-limit.js'

declare module 'fastify' {
  interface FastifyInstance {
    rateLimit: RateLimit
  }
}

/** Messages a second of each tenant. */
export default fp(async app => {
  const rateLimit = new MemoryRateLimit()
  app.decorate('rateLimit', rateLimit)
  app.tenants.on('removed', tenantId => rateLimit.forget(tenantId))
}, { name: 'rate-limit', dependencies: ['tenants'] })
