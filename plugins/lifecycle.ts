import fp from 'fastify-plugin'
import { Lifecycle } from '../lib/lifecycle/lifecycle.js'
import { version } from '../lib/version.js'

declare module 'fastify' {
  interface FastifyInstance {
    lifecycle: Lifecycle
  }
}

/** Seconds for a stop beside what is configured: handing over, leaving the cluster, cutting off who does not answer. */
const STOP_ALLOWANCE_SECONDS = 10

/** Where this process is in its life: starting, ready, draining. */
export default fp(async app => {
  const { config, gatewayMetrics } = app
  const lifecycle = new Lifecycle()
  const running = version()
  app.decorate('lifecycle', lifecycle)
  app.addHook('onReady', async () => lifecycle.ready())
  gatewayMetrics.nodeGauge('node_info', 'Always 1: which node this is, of which version', ['node', 'version'],
    emit => emit({ node: config.nodeId, version: running }, 1))
  gatewayMetrics.nodeGauge('draining', 'Whether this node is draining', [], emit => emit({}, lifecycle.isDraining ? 1 : 0))
  gatewayMetrics.nodeGauge('stop_started_timestamp_seconds', 'When this node was told to stop, in Unix time; no sample before', [], emit => {
    if (lifecycle.stoppingSince !== undefined) emit({}, lifecycle.stoppingSince / 1000)
  })
  const flushSeconds = config.kafkaBrokers === '' ? 0 : config.kafkaFlushSeconds
  gatewayMetrics.nodeGauge('stop_limit_seconds', 'In how long a stop is over, and may be ended by force after', [],
    emit => emit({}, config.drainDelaySeconds + config.drainTimeoutSeconds + flushSeconds + STOP_ALLOWANCE_SECONDS))
}, { name: 'lifecycle', dependencies: ['config', 'metrics'] })
