import fp from 'fastify-plugin'
import { FlushQueue } from '../lib/connections/flush-queue.js'
import { ThrottledLog } from '../lib/log/throttled-log.js'
import { FRAME_OVERHEAD_BYTES } from '../lib/protocol/limits.js'
import { Handshakes } from '../lib/session/handshakes.js'
import { TenantBytes } from '../lib/tenants/tenant-bytes.js'

declare module 'fastify' {
  interface FastifyInstance {
    handshakes: Handshakes
  }
}

/** Bytes of pulled offline messages that may wait for their readers: a page is at most 16 MiB. */
const MAX_PULLED_BYTES_PER_TENANT = 64 * 1024 * 1024
const MAX_PULLED_BYTES = 256 * 1024 * 1024

/** Turns fresh WebSockets into sessions. */
export default fp(async app => {
  const { config } = app
  const pulledBytes = new TenantBytes(MAX_PULLED_BYTES_PER_TENANT, MAX_PULLED_BYTES)
  app.gatewayMetrics.nodeGauge('offline_pull_bytes', 'Bytes of pulled offline messages that wait for their readers', [],
    emit => emit({}, pulledBytes.total))
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
    pulledBytes,
    presence: app.presence,
    events: app.gatewayEvents,
    pipeline: app.messagePipeline,
    log: app.log,
    now: Date.now,
    auth: app.hooksClient,
    gate: app.handshakeGate,
    lifecycle: app.lifecycle,
    gatewayMetrics: app.gatewayMetrics,
    tracing: app.tracing,
    throttledLog: new ThrottledLog(10_000),
  }))
}, {
  name: 'handshakes',
  dependencies: ['config', 'lifecycle', 'metrics', 'tracing', 'tenants', 'connections', 'heartbeat', 'offline-buffer', 'hooks-client', 'presence', 'message-pipeline', 'mq-publisher', 'admission'],
})
