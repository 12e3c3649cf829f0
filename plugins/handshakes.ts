import fp from 'fastify-plugin'
import { FlushQueue } from '../lib/connections/flush-queue.js'
import { ThrottledLog } from '../lib/log/throttled-log.js'
import { FRAME_OVERHEAD_BYTES } from '../lib/protocol/limits.js'
import { Handshakes } from '../lib/session/handshakes.js'

declare module 'fastify' {
  interface FastifyInstance {
    handshakes: Handshakes
  }
}

/** Turns fresh WebSockets into sessions. */
export default fp(async app => {
  const { config } = app
  app.decorate('handshakes', new Handshakes({
    nodeId: config.nodeId,
    maxInflight: config.sessionMaxInflight,
    maxBufferedBytes: config.wsMaxBufferedBytes,
    maxFrameBytes: config.maxMessageBytes + FRAME_OVERHEAD_BYTES,
    tenants: app.tenants,
    connections: app.connections,
    heartbeats: app.heartbeats,
    flushQueue: new FlushQueue(),
    offline: app.offlineBuffer,
    hooks: app.hooksClient,
    presence: app.presence,
    events: app.gatewayEvents,
    pipeline: app.messagePipeline,
    log: app.log,
    now: Date.now,
    auth: app.hooksClient,
    gate: app.handshakeGate,
    lifecycle: app.lifecycle,
    gatewayMetrics: app.gatewayMetrics,
    throttledLog: new ThrottledLog(10_000),
  }))
}, {
  name: 'handshakes',
  dependencies: ['config', 'lifecycle', 'metrics', 'tenants', 'connections', 'heartbeat', 'offline-buffer', 'hooks-client', 'presence', 'message-pipeline', 'mq-publisher', 'admission'],
})
