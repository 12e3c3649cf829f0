import fp from 'fastify-plugin'
import type { AppOptions } from './lib/config/app-options.js'
import admission from './plugins/admission.js'
import burials from './plugins/burials.js'
import config from './plugins/config.js'
import connections from './plugins/connections.js'
import dedup from './plugins/dedup.js'
import handshakes from './plugins/handshakes.js'
import heartbeat from './plugins/heartbeat.js'
import hooksClient from './plugins/hooks-client.js'
import lifecycle from './plugins/lifecycle.js'
import messagePipeline from './plugins/message-pipeline.js'
import messageTrace from './plugins/message-trace.js'
import metrics from './plugins/metrics.js'
import mqPublisher from './plugins/mq-publisher.js'
import nodeDirectory from './plugins/node-directory.js'
import nodeRpc from './plugins/node-rpc.js'
import notFound from './plugins/not-found.js'
import offlineBuffer from './plugins/offline-buffer.js'
import onlineRoutes from './plugins/online-routes.js'
import peerClients from './plugins/peer-clients.js'
import peerService from './plugins/peer-service.js'
import presence from './plugins/presence.js'
import rateLimit from './plugins/rate-limit.js'
import redis from './plugins/redis.js'
import router from './plugins/router.js'
import tenants from './plugins/tenants.js'
import tracing from './plugins/tracing.js'
import websocket from './plugins/websocket.js'
import { demoPage } from './routes/dev/demo-page.js'
import healthRoutes from './routes/health.js'
import wsRoute from './routes/ws.js'

/** The gateway: its plugins in the order of their dependencies, then its routes. */
export default fp<AppOptions>(async (app, options) => {
  await app.register(config, options)
  await app.register(metrics, options)
  await app.register(tracing)
  await app.register(messageTrace)
  await app.register(lifecycle)
  await app.register(redis)
  await app.register(nodeDirectory, options)
  await app.register(tenants, options)
  await app.register(hooksClient)
  await app.register(mqPublisher, options)
  await app.register(connections)
  await app.register(heartbeat)
  await app.register(onlineRoutes)
  await app.register(admission)
  await app.register(burials)
  await app.register(rateLimit)
  await app.register(dedup)
  await app.register(peerClients)
  await app.register(offlineBuffer)
  await app.register(presence)
  await app.register(router)
  await app.register(messagePipeline)
  await app.register(handshakes)
  await app.register(peerService)
  await app.register(nodeRpc)
  await app.register(websocket)
  await app.register(notFound)

  await app.register(healthRoutes)
  await app.register(wsRoute)
  if (options.embedded) await app.register(demoPage, { nodes: options.demoNodes })
}, { name: 'mics' })
