import fp from 'fastify-plugin'
import { PeerLinks } from '../lib/cluster/peer-links.js'
import type { Peers } from '../lib/cluster/peers.js'
import { ThrottledLog } from '../lib/log/throttled-log.js'

declare module 'fastify' {
  interface FastifyInstance {
    peers: Peers
  }
}

/** Milliseconds for what is under way to peers to end, when the process ends. */
const CLOSE_MS = 2000

/** The other nodes, as places to send messages to. */
export default fp(async app => {
  const { config, gatewayMetrics, nodeDirectory } = app
  const links = new PeerLinks(nodeDirectory, {
    // Without one there are no peers.
    token: config.clusterGrpcTokens[0] ?? '',
    timeoutMs: config.peerTimeoutMs,
    queueMaxBytes: config.peerQueueMaxBytes,
    breakerFailureThreshold: config.grpcBreakerFailureThreshold,
    breakerOpenMs: config.grpcBreakerOpenMs,
    maxMessageBytes: config.maxMessageBytes,
    log: { error: app.log.error.bind(app.log), warn: app.log.warn.bind(app.log) },
    throttledLog: new ThrottledLog(10_000),
  })
  app.decorate('peers', links)
  // Another process has its address, so it is gone, and the directory may know by now.
  links.on('disowned', () => {
    nodeDirectory.refresh().catch(err => app.log.warn({ err }, 'reading the members failed'))
  })
  gatewayMetrics.nodeCounters('peer_items_total', 'What was sent to other nodes, by how it ended', ['kind', 'result'], emit => {
    for (const [kind, counts] of Object.entries(links.calls)) {
      for (const [result, count] of counts.entries()) emit({ kind, result }, count)
    }
  })
  gatewayMetrics.nodeGauge('peer_queue_bytes', 'Bytes that wait for a peer or for its answer', ['peer'], emit => {
    for (const [peer, bytes] of links.queueBytes) emit({ peer }, bytes)
  })
  gatewayMetrics.nodeGauge('peer_breaker_state', 'Breaker of a peer: 0 closed, 1 open, 2 half-open', ['peer'], emit => {
    for (const [peer, state] of links.breakerStates) emit({ peer }, state)
  })
  app.addHook('onClose', async () => await links.close(AbortSignal.timeout(CLOSE_MS)))
}, { name: 'peer-clients', dependencies: ['config', 'metrics', 'node-directory'] })
