import fp from 'fastify-plugin'
import type { AppOptions } from '../lib/config/app-options.js'
import type { GatewayConfig } from '../lib/config/gateway-config.js'

declare module 'fastify' {
  interface FastifyInstance {
    config: GatewayConfig
  }
}

/** The gateway's configuration, as loadConfig made it. */
export default fp<AppOptions>(async (app, { config }) => {
  app.decorate('config', config)
}, { name: 'config' })
