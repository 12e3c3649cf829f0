import fp from 'fastify-plugin'
import { ThrottledLog } from '../lib/log/throttled-log.js'
import { MemoryRateLimit } from '../lib/rate-limit/memory-rate-limit.js'
import type { RateLimit } from '../lib/rate-limit/rate-limit.js'
import { RedisRateLimit } from '../lib/rate-limit/redis-rate-limit.js'
import { logFailures } from '../lib/redis/log-failures.js'

declare module 'fastify' {
  interface FastifyInstance {
    rateLimit: RateLimit
  }
}

/** Messages a second of each tenant. */
export default fp(async app => {
  const redis = app.redis === undefined
    ? undefined
    : new RedisRateLimit(app.redis, app.nodeDirectory, {
      onError: logFailures(app.log.warn.bind(app.log), new ThrottledLog(10_000), 'the rate limit'),
    })
  const rateLimit: RateLimit = redis ?? new MemoryRateLimit()
  app.decorate('rateLimit', rateLimit)
  app.tenants.on('removed', tenantId => rateLimit.forget(tenantId))
  app.gatewayMetrics.nodeCounter('rate_limit_degraded_total', 'Messages counted against a share of the limit, because Redis did not answer',
    () => redis?.degraded ?? 0)
  app.addHook('onClose', async () => redis?.close())
}, { name: 'rate-limit', dependencies: ['tenants', 'metrics', 'redis', 'node-directory'] })
