import fp from 'fastify-plugin'
import fastifyMetrics from 'fastify-metrics'
import { Registry } from 'prom-client'
import type { AppOptions } from '../lib/config/app-options.js'
import { GatewayMetrics } from '../lib/metrics/gateway-metrics.js'
import { heapLimit, memoryLimit } from '../lib/metrics/memory-limits.js'

declare module 'fastify' {
  interface FastifyInstance {
    gatewayMetrics: GatewayMetrics
  }
}

/**
 * `GET /metrics`: what this gateway counts, and what prom-client knows of the process and the HTTP routes. The registry
 * is this app's own: two apps in one process do not mix. One of several workers answers for all of them.
 */
export default fp<Pick<AppOptions, 'worker'>>(async (app, { worker }) => {
  const registry = new Registry()
  const gatewayMetrics = new GatewayMetrics(app.config.metricsMaxTenants, worker?.metrics.labels)
  if (worker !== undefined) registry.setDefaultLabels(worker.metrics.labels)
  await app.register(fastifyMetrics.default, {
    endpoint: null,
    defaultMetrics: { enabled: true, register: registry },
    routeMetrics: {
      enabled: { histogram: true, summary: false },
      // The summary is made even where it is not enabled; without a registry it is seen nowhere.
      overrides: { histogram: { registers: [registry] }, summary: { registers: [] } },
    },
  })
  gatewayMetrics.nodeGauge('heap_limit_bytes', 'Heap that the process may use', [], emit => emit({}, heapLimit()))
  gatewayMetrics.nodeGauge('memory_limit_bytes', 'Memory that the container may use; no sample where there is no limit', [],
    emit => {
      const limit = memoryLimit()
      if (limit !== undefined) emit({}, limit)
    })
  app.decorate('gatewayMetrics', gatewayMetrics)
  app.addHook('onClose', async () => gatewayMetrics.close())
  const text = async (): Promise<string> => await gatewayMetrics.text() + await registry.metrics()
  if (worker !== undefined) worker.metrics.serve(text)
  app.get('/metrics', async (_request, reply) => {
    reply.type(registry.contentType)
    return worker === undefined ? await text() : await worker.metrics.gather()
  })
}, { name: 'metrics', dependencies: ['config'] })
