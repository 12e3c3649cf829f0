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

/** Who is online on which node; and what a node that died has left behind is removed. */
export default fp(async app => {
  const { nodeDirectory, redis } = app
  const onlineRoutes: OnlineRoutes = redis === undefined
    ? new MemoryOnlineRoutes(app.memoryStore, nodeDirectory)
    : new RedisOnlineRoutes(redis, nodeDirectory)
  const routeCache = new RouteCache(onlineRoutes, nodeDirectory, {
    ttlMs: app.config.localRouteCacheTtlSeconds * 1000,
    maxEntries: MAX_CACHED_USERS,
  })
  app.decorate('onlineRoutes', onlineRoutes)
  app.decorate('routeCache', routeCache)
  nodeDirectory.on('abandoned', memberKey => {
    bury(memberKey).catch(err => app.log.error({ err, member: memberKey }, 'removing what a dead node left failed'))
  })

  async function bury (memberKey: string): Promise<void> {
    const { routes, lostMessages } = await onlineRoutes.bury(memberKey)
    await nodeDirectory.buried(memberKey)
    let lost = 0
    for (const [tenantId, count] of lostMessages) {
      app.gatewayMetrics.tenant(tenantId).offlineLost += count
      lost += count
    }
    app.log.warn({ member: memberKey, routes, lostMessages: lost }, 'removed what a dead node left')
  }

  app.gatewayMetrics.nodeGauge('route_cache_entries', 'Users whose routes are cached', [],
    emit => emit({}, routeCache.size))
  app.gatewayMetrics.nodeCounter('route_lookups_degraded_total', 'Routes taken from memory because Redis did not answer',
    () => routeCache.degraded)
}, { name: 'online-routes', dependencies: ['config', 'metrics', 'redis', 'node-directory'] })
