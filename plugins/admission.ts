import fp from 'fastify-plugin'
import { HandshakeGate } from '../lib/admission/handshake-gate.js'
import { MemoryTenantPlaces } from '../lib/admission/memory-tenant-places.js'
import { RedisTenantPlaces } from '../lib/admission/redis-tenant-places.js'
import type { TenantPlaces } from '../lib/admission/tenant-places.js'
import { ThrottledLog } from '../lib/log/throttled-log.js'
import { logFailures } from '../lib/redis/log-failures.js'

declare module 'fastify' {
  interface FastifyInstance {
    handshakeGate: HandshakeGate
    tenantPlaces: TenantPlaces
  }
}

/** How many connections may be let in at once and a second, and how many a tenant may have. */
export default fp(async app => {
  const handshakeGate = new HandshakeGate(app.config.handshakeMaxPerSecond, app.config.handshakeMaxInProgress)
  app.decorate('handshakeGate', handshakeGate)
  const redisPlaces = app.redis === undefined
    ? undefined
    : new RedisTenantPlaces(app.redis, app.nodeDirectory,
      logFailures(app.log.warn.bind(app.log), new ThrottledLog(10_000), 'the connection limits'))
  const tenantPlaces: TenantPlaces = redisPlaces ?? new MemoryTenantPlaces(app.memoryStore, app.nodeDirectory)
  app.decorate('tenantPlaces', tenantPlaces)
  app.gatewayMetrics.nodeCounter('admission_degraded_total', 'Connections let in by the limit of this node alone, because Redis did not answer',
    () => redisPlaces?.degraded ?? 0)
  app.addHook('onClose', async () => redisPlaces?.close())
  app.gatewayMetrics.nodeGauge('handshakes_in_progress', 'Clients waiting for their auth hook', [],
    emit => emit({}, handshakeGate.inProgress))
}, { name: 'admission', dependencies: ['config', 'metrics', 'redis', 'node-directory'] })
