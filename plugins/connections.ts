import fp from 'fastify-plugin'
import { closeAll, closeGradually } from '../lib/connections/close-all.js'
import { Connections } from '../lib/connections/connections.js'
import { CloseCode } from '../lib/protocol/close-codes.js'

declare module 'fastify' {
  interface FastifyInstance {
    connections: Connections
  }
}

/** Part of the drain window over which closing is spread; the rest is for what remains then. */
const SPREAD = 0.8

/** The clients connected to this node. They leave with 4002 when their tenant goes, with 4200 when the node drains. */
export default fp(async app => {
  const connections = new Connections()
  app.decorate('connections', connections)
  app.tenants.on('removed', tenantId => {
    closeGradually(connections.list(tenantId), CloseCode.UNKNOWN_TENANT, 'the tenant was removed')
      .catch(err => app.log.error({ err, tenantId }, 'closing the connections of a removed tenant failed'))
  })
  app.lifecycle.onDrain('connections', async deadline => {
    app.log.info({ connections: connections.count }, 'closing connections')
    await closeAll(connections.list(), app.config.drainTimeoutSeconds * 1000 * SPREAD, deadline)
  })
}, { name: 'connections', dependencies: ['config', 'lifecycle', 'tenants'] })
