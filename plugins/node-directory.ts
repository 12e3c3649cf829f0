import fp from 'fastify-plugin'
import { MemoryStore } from '../lib/cluster/memory-store.js'
import type { AppOptions } from '../lib/config/app-options.js'
import { MemoryNodeDirectory } from '../lib/node-directory/memory-node-directory.js'
import type { NodeDirectory } from '../lib/node-directory/node-directory.js'
import { RedisNodeDirectory } from '../lib/node-directory/redis-node-directory.js'
import { RedisUnavailableError } from '../lib/redis/redis-link.js'

declare module 'fastify' {
  interface FastifyInstance {
    nodeDirectory: NodeDirectory
    /** What the nodes share where there is no Redis. */
    memoryStore: MemoryStore
  }
}

/** Which nodes there are. This one joins when it is ready to serve them, and leaves when it has drained. */
export default fp<AppOptions>(async (app, { memoryStore = new MemoryStore() }) => {
  const { nodeId, nodeLeaseSeconds } = app.config
  const options = { nodeId, endpoint: () => app.nodeEndpoint(), leaseMs: nodeLeaseSeconds * 1000 }
  const nodeDirectory: NodeDirectory = app.redis === undefined
    ? new MemoryNodeDirectory(memoryStore, options)
    : new RedisNodeDirectory(app.redis, options)
  app.decorate('memoryStore', memoryStore)
  app.decorate('nodeDirectory', nodeDirectory)
  nodeDirectory.on('joined', ({ key, endpoint }) => app.log.info({ member: key, endpoint }, 'node joined'))
  nodeDirectory.on('left', ({ key }) => app.log.info({ member: key }, 'node left'))
  nodeDirectory.on('namesake', ({ key, endpoint }) => {
    app.log.error({ member: key, endpoint }, 'another process has the same NODE_ID: give each node its own')
  })
  nodeDirectory.on('renewalFailed', err => {
    if (!(err instanceof RedisUnavailableError)) app.log.error({ err }, 'renewing the lease of this node failed')
  })
  app.gatewayMetrics.nodeGauge('cluster_members', 'Nodes of the cluster that this one knows, itself included', [],
    emit => emit({}, nodeDirectory.members().length))
  app.lifecycle.onDrain('node-directory', async () => await nodeDirectory.drain())
  app.addHook('onClose', async () => nodeDirectory.close())
}, { name: 'node-directory', dependencies: ['config', 'metrics', 'lifecycle', 'redis'] })
