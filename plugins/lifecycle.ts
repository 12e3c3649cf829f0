import fp from 'fastify-plugin'
import { Lifecycle } from '../lib/lifecycle/lifecycle.js'

declare module 'fastify' {
  interface FastifyInstance {
    lifecycle: Lifecycle
  }
}

/** Where this process is in its life: starting, ready, draining. */
export default fp(async app => {
  const lifecycle = new Lifecycle()
  app.decorate('lifecycle', lifecycle)
  app.addHook('onReady', async () => lifecycle.ready())
  app.gatewayMetrics.nodeGauge('draining', 'Whether this node is draining', [], emit => emit({}, lifecycle.isDraining ? 1 : 0))
}, { name: 'lifecycle', dependencies: ['metrics'] })
