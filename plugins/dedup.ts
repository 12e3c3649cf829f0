import fp from 'fastify-plugin'
import type { Dedup } from '../lib/dedup/dedup.js'
import { MemoryDedup } from '../lib/dedup/memory-dedup.js'

declare module 'fastify' {
  interface FastifyInstance {
    dedup: Dedup
  }
}

const SWEEP_INTERVAL_MS = 30_000

/** Finds repeated messages. */
export default fp(async app => {
  const { dedupMaxEntries, dedupMaxEntriesPerTenant } = app.config
  const dedup = new MemoryDedup({ maxEntries: dedupMaxEntries, maxEntriesPerTenant: dedupMaxEntriesPerTenant })
  app.decorate('dedup', dedup)
  app.tenants.on('removed', tenantId => dedup.forget(tenantId))
  app.gatewayMetrics.nodeGauge('dedup_entries', 'Sent messages remembered', [], emit => emit({}, dedup.entries))
  app.gatewayMetrics.nodeCounter('dedup_forgotten_early_total', 'Sent messages forgotten within their 10 minutes, for lack of room',
    () => dedup.forgottenEarly)
  const sweeps = setInterval(() => dedup.sweep(), SWEEP_INTERVAL_MS).unref()
  app.addHook('onClose', async () => clearInterval(sweeps))
}, { name: 'dedup', dependencies: ['config', 'tenants', 'metrics'] })
