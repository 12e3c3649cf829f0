import fp from 'fastify-plugin'
import { MessageTrace } from '../lib/message-trace/message-trace.js'

declare module 'fastify' {
  interface FastifyInstance {
    messageTrace: MessageTrace
  }
}

/** What became of the latest messages. Kept only where it can be asked for, which is where there is a token. */
export default fp(async app => {
  const { clusterGrpcTokens, messageTraceEntries } = app.config
  const trace = new MessageTrace(clusterGrpcTokens.length === 0 ? 0 : messageTraceEntries)
  app.decorate('messageTrace', trace)
  app.gatewayMetrics.nodeGauge('message_trace_entries', 'Messages of which is known what became of them', [],
    emit => emit({}, trace.size))
  app.gatewayMetrics.nodeCounter('message_trace_replaced_total', 'Messages that gave way to newer ones there', () => trace.replaced)
}, { name: 'message-trace', dependencies: ['config', 'metrics'] })
