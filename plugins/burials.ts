import fp from 'fastify-plugin'
import { ThrottledLog } from '../lib/log/throttled-log.js'
import { logFailures } from '../lib/redis/log-failures.js'

/** Removes what nodes that died have left behind. Which node does it, the directory decides. */
export default fp(async app => {
  const { gatewayMetrics, nodeDirectory, onlineRoutes, tenantPlaces, tenants } = app
  // It is begun again, here or on another node, where it does not end.
  const failed = logFailures(app.log.error.bind(app.log), new ThrottledLog(10_000), 'removing what a dead node left')
  let removed = 0
  gatewayMetrics.nodeCounter('dead_nodes_removed_total', 'Nodes that died, and whose remains this one has removed', () => removed)
  nodeDirectory.on('abandoned', memberKey => { bury(memberKey).catch(failed) })

  async function bury (memberKey: string): Promise<void> {
    const { routes, lostMessages } = await onlineRoutes.bury(memberKey)
    await tenantPlaces.bury(memberKey, tenants.ids())
    await nodeDirectory.buried(memberKey)
    let lost = 0
    for (const [tenantId, count] of lostMessages) {
      gatewayMetrics.tenant(tenantId).offlineLost += count
      lost += count
    }
    const line = { member: memberKey, routes, lostMessages: lost }
    // One that left in order has left nothing.
    if (routes + lost === 0) return app.log.info(line, 'a node is gone and has left nothing')
    removed++
    app.log.warn(line, 'removed what a dead node left')
  }
}, { name: 'burials', dependencies: ['metrics', 'tenants', 'node-directory', 'online-routes', 'admission'] })
