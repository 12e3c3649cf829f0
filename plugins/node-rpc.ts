import { networkInterfaces } from 'node:os'
import fp from 'fastify-plugin'
import { nodeEndpoint } from '../lib/cluster/node-endpoint.js'
import { PeerServer } from '../lib/cluster/peer-server.js'
import { ThrottledLog } from '../lib/log/throttled-log.js'
import { MessageTracer } from '../lib/message-trace/message-tracer.js'

declare module 'fastify' {
  interface FastifyInstance {
    /** The URL under which the other nodes reach this one. Empty: there are none. */
    nodeEndpoint: () => string
  }
}

/**
 * Answers the other nodes, on a port of its own, where there is a cluster; and only then joins it. When the process
 * ends it leaves first, and answers to the last.
 */
export default fp(async app => {
  const { config, gatewayMetrics, nodeDirectory } = app
  let endpoint = ''
  app.decorate('nodeEndpoint', () => endpoint)
  const [token] = config.clusterGrpcTokens
  const server = token === undefined
    ? undefined
    : new PeerServer({
      tokens: config.clusterGrpcTokens,
      directory: nodeDirectory,
      service: app.peerService,
      tracer: new MessageTracer({
        trace: app.messageTrace,
        directory: nodeDirectory,
        token,
        timeoutMs: config.peerTimeoutMs,
        now: Date.now,
      }),
      timeoutMs: config.peerTimeoutMs,
      maxMessageBytes: config.maxMessageBytes,
      log: { warn: app.log.warn.bind(app.log) },
      throttledLog: new ThrottledLog(10_000),
    })
  gatewayMetrics.nodeCounters('node_rpc_refused_total', 'Requests of other nodes turned away', ['reason'], emit => {
    emit({ reason: 'token' }, server?.unauthorized ?? 0)
    emit({ reason: 'other_member' }, server?.misdirected ?? 0)
  })
  gatewayMetrics.nodeCounters('node_rpc_items_not_done_total', 'What other nodes sent that was not done: seen before, late, failed, or brought to a node that drains',
    ['reason'], emit => {
      emit({ reason: 'repeated' }, server?.repeated ?? 0)
      emit({ reason: 'late' }, server?.late ?? 0)
      emit({ reason: 'failed' }, server?.faults ?? 0)
      emit({ reason: 'draining' }, app.peerService.refused)
    })
  app.addHook('onReady', async () => {
    if (server !== undefined) {
      const port = await server.listen(config.host, config.nodePort)
      endpoint = nodeEndpoint(config, port, networkInterfaces())
    }
    await nodeDirectory.join()
    if (server !== undefined) app.log.info({ member: nodeDirectory.self.key, endpoint }, 'joined the cluster')
  })
  app.addHook('onClose', async () => {
    try {
      await nodeDirectory.leave()
    } catch (err) {
      app.log.warn({ err }, 'leaving failed: the others notice when the lease has run out')
    }
    await server?.close()
  })
}, { name: 'node-rpc', dependencies: ['config', 'metrics', 'message-trace', 'node-directory', 'peer-service'] })
