import fp from 'fastify-plugin'
import { ThrottledLog } from '../lib/log/throttled-log.js'
import { Presence } from '../lib/presence/presence.js'
import { RecentArrivals } from '../lib/presence/recent-arrivals.js'
import { logFailures } from '../lib/redis/log-failures.js'

declare module 'fastify' {
  interface FastifyInstance {
    presence: Presence
    recentArrivals: RecentArrivals
  }
}

/** Milliseconds beyond its lifetime that a cached route may be in use: a message on its way. */
const ROUTE_IN_USE_MS = 5000

/** Makes this node's clients known to the cluster, and the arrivals at other nodes known here. */
export default fp(async app => {
  const { config, gatewayMetrics, nodeDirectory, redis } = app
  const recentArrivals = new RecentArrivals(config.localRouteCacheTtlSeconds * 1000 + ROUTE_IN_USE_MS)
  const presence = new Presence({
    routes: app.onlineRoutes,
    cache: app.routeCache,
    places: app.tenantPlaces,
    peers: app.peers,
    directory: nodeDirectory,
    connections: app.connections,
    offlineIndex: app.offlineIndex,
    handovers: app.handovers,
    arrivals: recentArrivals,
    admitWithoutStore: config.admitWithoutRedis,
    arrivalTimeoutMs: config.peerTimeoutMs,
    onStoreFailure: logFailures(app.log.warn.bind(app.log), new ThrottledLog(10_000), 'registering clients'),
    now: Date.now,
  })
  app.decorate('recentArrivals', recentArrivals)
  app.decorate('presence', presence)
  nodeDirectory.on('reset', () => {
    const connections = app.connections.count
    const beganAt = performance.now()
    app.log.warn({ member: nodeDirectory.self.key, connections }, 'registering everything again')
    presence.reassert().then(() => {
      app.log.info({ connections, ms: Math.round(performance.now() - beganAt) }, 'everything is registered again')
    }, err => app.log.error({ err }, 'registering everything again failed'))
  })
  // Whoever connected while Redis was gone is not known to it.
  redis?.on('up', () => presence.reassert())
  gatewayMetrics.nodeCounter('unregistered_connections_total', 'Clients let in while Redis did not answer',
    () => presence.unregistered)
  gatewayMetrics.nodeGauge('registrations_outstanding', 'Connections that came or ended, and Redis is yet to be told', ['kind'],
    emit => {
      emit({ kind: 'register' }, presence.outstanding)
      emit({ kind: 'unregister' }, presence.withdrawing)
    })
  app.addHook('onClose', async () => presence.close())
}, {
  name: 'presence',
  dependencies: ['config', 'metrics', 'redis', 'node-directory', 'online-routes', 'connections', 'admission', 'peer-clients', 'offline-buffer'],
})
