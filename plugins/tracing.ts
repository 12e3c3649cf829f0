import fp from 'fastify-plugin'
import { tracingTarget } from '../lib/config/tracing-config.js'
import type { Tracing } from '../lib/tracing/tracing.js'
import { version } from '../lib/version.js'

declare module 'fastify' {
  interface FastifyInstance {
    /** Undefined: nothing is traced. */
    tracing: Tracing | undefined
  }
}

/** Milliseconds for the last spans to be exported, when the process ends. */
const CLOSE_MS = 1000

/** Records what happens to messages as OpenTelemetry spans, where the environment says so. */
export default fp(async app => {
  const { config: { tracing: config, nodeId }, gatewayMetrics, log } = app
  if (config === undefined) {
    app.decorate('tracing', undefined)
    return
  }
  // The SDK is loaded only where it is used.
  const { Tracing } = await import('../lib/tracing/tracing.js')
  const lines = { info: log.info.bind(log), warn: log.warn.bind(log) }
  const tracing = new Tracing({ config, nodeId, version: version(), log: lines })
  app.decorate('tracing', tracing)
  gatewayMetrics.nodeCounter('trace_spans_exported_total', 'Spans that the collector has taken', () => tracing.counts.exported)
  gatewayMetrics.nodeCounters('trace_spans_dropped_total', 'Spans that were recorded and not exported', ['reason'], emit => {
    for (const [reason, count] of Object.entries(tracing.counts.dropped)) emit({ reason }, count)
  })
  log.info({ to: tracingTarget(config), sampler: config.sampler, ratio: config.ratio }, 'messages are traced')
  // The plugins above close before this one: by then the spans of their last messages have ended.
  app.addHook('onClose', async () => await tracing.close(CLOSE_MS))
}, { name: 'tracing', dependencies: ['config', 'metrics'] })
