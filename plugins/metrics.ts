import fp from 'fastify-plugin'
import fastifyMetrics from 'fastify-metrics'
import { Registry } from 'prom-client'
import { GatewayMetrics } from '../lib/metrics/gateway-metrics.js'

declare module 'fastify' {
  interface FastifyInstance {
    gatewayMetrics: GatewayMetrics
  }
}

/** `GET /metrics`, and what this gateway counts. The registry is this app's own: two apps in one process do not mix. */
export default fp(async app => {
  const registry = new Registry()
  const gatewayMetrics = new GatewayMetrics(registry, app.config.metricsMaxTenants)
  await app.register(fastifyMetrics.default, {
    endpoint: '/metrics',
    defaultMetrics: { enabled: true, register: registry },
    routeMetrics: {
      enabled: { histogram: true, summary: false },
      // The summary is made even where it is not enabled; without a registry it is seen nowhere.
      overrides: { histogram: { registers: [registry] }, summary: { registers: [] } },
    },
  })
  app.decorate('gatewayMetrics', gatewayMetrics)
  app.addHook('onClose', async () => gatewayMetrics.close())
}, { name: 'metrics', dependencies: ['config'] })
