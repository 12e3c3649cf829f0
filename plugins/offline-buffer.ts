import fp from 'fastify-plugin'
import { Handovers } from '../lib/offline/handovers.js'
import { handOverAll } from '../lib/offline/hand-over-all.js'
import { OfflineBuffer } from '../lib/offline/offline-buffer.js'
import { OfflineIndex } from '../lib/offline/offline-index.js'

declare module 'fastify' {
  interface FastifyInstance {
    offlineBuffer: OfflineBuffer
    offlineIndex: OfflineIndex
    handovers: Handovers
  }
}

const SWEEP_INTERVAL_MS = 5_000

/** Milliseconds that a draining node takes for handing its buffer over, after the connections closed. */
const HAND_OVER_MS = 5_000

/**
 * Messages for users who are not connected, for a short time, and where in the cluster they are. When the node drains,
 * after the connections closed, they move to the nodes that stay.
 */
export default fp(async app => {
  const { config, connections, gatewayMetrics, nodeDirectory } = app
  const offlineBuffer = new OfflineBuffer({
    maxMessagesPerUser: config.offlineBufferMaxMessagesPerUser,
    maxBytesPerUser: config.offlineBufferMaxBytesPerUser,
    maxUsersPerTenant: config.offlineBufferMaxUsersPerTenant,
    maxBytesPerTenant: config.offlineBufferMaxBytesPerTenant,
    maxBytes: config.offlineBufferMaxBytes,
  }, gatewayMetrics)
  const handovers = new Handovers(offlineBuffer, app.peers)
  const offlineIndex = new OfflineIndex({
    buffer: offlineBuffer,
    handovers,
    routes: app.onlineRoutes,
    isReachable: () => app.redis?.isUp ?? true,
    wake: (tenantId, userId) => {
      const sessions = connections.ofUser(tenantId, userId)
      for (const session of sessions) session.wake()
      return sessions.length > 0
    },
  })
  app.decorate('offlineBuffer', offlineBuffer)
  app.decorate('handovers', handovers)
  app.decorate('offlineIndex', offlineIndex)
  app.tenants.on('removed', tenantId => offlineBuffer.removeTenant(tenantId))
  app.lifecycle.onDrain('offline-buffer', async () => {
    const before = handovers.moved
    // What a client that does not answer its close frame has not taken is known only when it is cut off.
    const cutOff = setTimeout(() => {
      for (const client of app.websocketServer.clients) client.terminate()
    }, HAND_OVER_MS / 2)
    await handOverAll({ buffer: offlineBuffer, handovers, directory: nodeDirectory, connections },
      AbortSignal.timeout(HAND_OVER_MS))
    clearTimeout(cutOff)
    const moved = handovers.moved - before
    if (moved > 0) app.log.info({ messages: moved }, 'messages for offline users handed over')
    const { size } = offlineBuffer
    if (size > 0) app.log.warn({ messages: size }, 'messages for offline users end with this process')
  })
  gatewayMetrics.nodeCounter('offline_handed_over_total', 'Offline messages moved to another node', () => handovers.moved)
  gatewayMetrics.nodeGauge('offline_index_outstanding', 'Users whose offline messages the cluster is yet to be told of', [],
    emit => emit({}, offlineIndex.outstanding))
  const sweeps = setInterval(() => offlineBuffer.sweep(), SWEEP_INTERVAL_MS).unref()
  app.addHook('onClose', async () => {
    clearInterval(sweeps)
    offlineIndex.close()
  })
}, {
  name: 'offline-buffer',
  dependencies: ['config', 'lifecycle', 'connections', 'tenants', 'metrics', 'node-directory', 'online-routes', 'peer-clients'],
})
