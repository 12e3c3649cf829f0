import fp from 'fastify-plugin'
import { MemoryOnlineRoutes } from '../lib/online-routes/memory-online-routes.js'
import type { OnlineRoutes } from '../lib/online-routes/online-routes.js'
import { RedisOnlineRoutes } from '../lib/online-routes/redis-online-routes.js'
import { RouteCache } from '../lib/online-routes/route-cache.js'

declare module 'fastify' {
  interface FastifyInstance {
    onlineRoutes: OnlineRoutes
    routeCache: RouteCache
  }
}

/** Users whose routes are remembered for a moment. */
const MAX_CACHED_USERS = 200_000

/** Who is online on which node. */
export default fp(async app => {
  const { nodeDirectory, redis } = app
  const redisRoutes = redis === undefined ? undefined : new RedisOnlineRoutes(redis, nodeDirectory)
  const onlineRoutes: OnlineRoutes = redisRoutes ?? new MemoryOnlineRoutes(app.memoryStore, nodeDirectory)
  const routeCache = new RouteCache(onlineRoutes, nodeDirectory, {
    ttlMs: app.config.localRouteCacheTtlSeconds * 1000,
    maxEntries: MAX_CACHED_USERS,
  })
  app.decorate('onlineRoutes', onlineRoutes)
  app.decorate('routeCache', routeCache)

  app.gatewayMetrics.nodeGauge('route_cache_entries', 'Users whose routes are cached', [],
    emit => emit({}, routeCache.size))
  app.gatewayMetrics.nodeCounter('route_lookups_degraded_total', 'Routes taken from memory because Redis did not answer',
    () => routeCache.degraded)
  app.gatewayMetrics.nodeGauge('routes_doubtful', 'Registrations that Redis did not answer, to be undone should they have worked', [],
    emit => emit({}, redisRoutes?.doubtful ?? 0))
  app.addHook('onClose', async () => redisRoutes?.close())
}, { name: 'online-routes', dependencies: ['config', 'metrics', 'redis', 'node-directory'] })
