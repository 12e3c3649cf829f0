import fp from 'fastify-plugin'
import type { Dedup } from '../lib/dedup/dedup.js'
import { MemoryDedup } from '../lib/dedup/memory-dedup.js'
import { RedisDedup } from '../lib/dedup/redis-dedup.js'
import { ThrottledLog } from '../lib/log/throttled-log.js'
import { logFailures } from '../lib/redis/log-failures.js'

declare module 'fastify' {
  interface FastifyInstance {
    dedup: Dedup
  }
}

const SWEEP_INTERVAL_MS = 30_000

/** Finds repeated messages: those of this node, or of all nodes. */
export default fp(async app => {
  const { dedupMaxEntries, dedupMaxEntriesPerTenant, dedupStore, peerTimeoutMs } = app.config
  const memory = new MemoryDedup({ maxEntries: dedupMaxEntries, maxEntriesPerTenant: dedupMaxEntriesPerTenant })
  const redis = app.redis === undefined || dedupStore === 'memory'
    ? undefined
    : new RedisDedup(memory, app.redis, app.nodeDirectory, {
      // Longer than a message takes: hooks, two attempts at peers, and the way into an offline buffer. One that waits
      // for many before it in its conversation, while peers do not answer, may take longer.
      reservationMs: 5000 + 10 * peerTimeoutMs,
      onError: logFailures(app.log.warn.bind(app.log), new ThrottledLog(10_000), 'dedup'),
    })
  const dedup: Dedup = redis ?? memory
  app.decorate('dedup', dedup)
  app.tenants.on('removed', tenantId => dedup.forget(tenantId))
  const { gatewayMetrics } = app
  gatewayMetrics.nodeGauge('dedup_entries', 'Sent messages remembered', [], emit => emit({}, memory.entries))
  gatewayMetrics.nodeCounter('dedup_forgotten_early_total', 'Sent messages forgotten within their 10 minutes, for lack of room',
    () => memory.forgottenEarly)
  gatewayMetrics.nodeCounter('dedup_degraded_total', 'Messages that only this node has looked for repeats of',
    () => redis === undefined ? 0 : redis.degraded + redis.unsaved)
  gatewayMetrics.nodeGauge('dedup_waiting', 'Repeats that wait for what another node makes of the first', [],
    emit => emit({}, redis?.waiting ?? 0))
  const sweeps = setInterval(() => memory.sweep(), SWEEP_INTERVAL_MS).unref()
  app.addHook('onClose', async () => {
    clearInterval(sweeps)
    redis?.close()
  })
}, { name: 'dedup', dependencies: ['config', 'tenants', 'metrics', 'redis', 'node-directory'] })
