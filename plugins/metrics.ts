import fp from 'fastify-plugin'
import fastifyMetrics from 'fastify-metrics'
import { Registry } from 'prom-client'
import { GatewayMetrics } from '../lib/metrics/gateway-metrics.js'
import { heapLimit, memoryLimit } from '../lib/metrics/memory-limits.js'

declare module 'fastify' {
  interface FastifyInstance {
    gatewayMetrics: GatewayMetrics
  }
}

/**
 * `GET /metrics`: what this gateway counts, and what prom-client knows of the process and the HTTP routes. The registry
 * is this app's own: two apps in one process do not mix.
 */
export default fp(async app => {
  const registry = new Registry()
  const gatewayMetrics = new GatewayMetrics(app.config.metricsMaxTenants)
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
  app.get('/metrics', async (_request, reply) => {
    reply.type(registry.contentType)
    return await gatewayMetrics.text() + await registry.metrics()
  })
}, { name: 'metrics', dependencies: ['config'] })
