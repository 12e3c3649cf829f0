import fp from 'fastify-plugin'
import { OfflineBuffer } from '../lib/offline/offline-buffer.js'

declare module 'fastify' {
  interface FastifyInstance {
    offlineBuffer: OfflineBuffer
  }
}

const SWEEP_INTERVAL_MS = 5_000

/** Messages for users who are not connected, for a short time. When the node drains, after the connections closed. */
export default fp(async app => {
  const { config } = app
  const offlineBuffer = new OfflineBuffer({
    maxMessagesPerUser: config.offlineBufferMaxMessagesPerUser,
    maxBytesPerUser: config.offlineBufferMaxBytesPerUser,
    maxUsersPerTenant: config.offlineBufferMaxUsersPerTenant,
    maxBytesPerTenant: config.offlineBufferMaxBytesPerTenant,
    maxBytes: config.offlineBufferMaxBytes,
  }, app.gatewayMetrics)
  app.decorate('offlineBuffer', offlineBuffer)
  app.tenants.on('removed', tenantId => offlineBuffer.removeTenant(tenantId))
  app.lifecycle.onDrain('offline-buffer', () => {
    const { size } = offlineBuffer
    if (size > 0) app.log.warn({ messages: size }, 'messages for offline users end with this process')
  })
  const sweeps = setInterval(() => offlineBuffer.sweep(), SWEEP_INTERVAL_MS).unref()
  app.addHook('onClose', async () => clearInterval(sweeps))
}, { name: 'offline-buffer', dependencies: ['config', 'lifecycle', 'connections', 'tenants', 'metrics'] })
