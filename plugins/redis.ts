import fp from 'fastify-plugin'
import { RedisLink } from '../lib/redis/redis-link.js'

declare module 'fastify' {
  interface FastifyInstance {
    /** undefined: there is none, this node is alone. */
    redis: RedisLink | undefined
  }
}

/** Milliseconds for Redis to answer when this process starts; less than Fastify gives a plugin to load. */
const BOOT_TIMEOUT_MS = 8000

/** The connection to Redis, where one is configured. The start fails where it cannot be reached. */
export default fp(async app => {
  const { redisUrl, redisTimeoutMs } = app.config
  const redis = redisUrl === '' ? undefined : new RedisLink({ url: redisUrl, timeoutMs: redisTimeoutMs })
  app.decorate('redis', redis)
  if (redis === undefined) return

  // Only here: a node without Redis must not look like one that has lost it.
  app.gatewayMetrics.nodeGauge('redis_up', 'Whether Redis answers', [], emit => emit({}, redis.isUp ? 1 : 0))
  app.gatewayMetrics.nodeGauge('redis_calls_in_flight', 'Calls waiting for Redis to answer', [],
    emit => emit({}, redis.inFlight))
  app.gatewayMetrics.nodeCounters('redis_failures_total', 'Calls to Redis that failed', ['operation'], emit => {
    for (const [operation, count] of redis.failures) emit({ operation }, count)
  })

  await redis.connect(BOOT_TIMEOUT_MS)
  app.addHook('onClose', async () => await redis.close())
  let goneAt = 0
  redis.on('down', () => {
    goneAt = performance.now()
    app.log.warn('Redis is gone: this node goes on with what it knows')
  })
  redis.on('up', () => app.log.info({ goneMs: Math.round(performance.now() - goneAt) }, 'Redis is back'))
  redis.on('restarted', () => app.log.info('a Redis master is another process than before: what it held may be gone'))
}, { name: 'redis', dependencies: ['config', 'metrics', 'lifecycle'] })
