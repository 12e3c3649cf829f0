import fastify, { LogController, type FastifyBaseLogger, type FastifyInstance, type FastifyReply } from 'fastify'
import type { DemoNode, Worker } from './lib/config/app-options.js'
import type { GatewayConfig } from './lib/config/gateway-config.js'
import { exit, exitAfter } from './lib/lifecycle/process-end.js'
import { loggerOptions, type LogFormat } from './lib/log/logger-options.js'
import type { EventTransport } from './lib/mq/event-transport.js'
import { demoTenant, demoTenantId } from './routes/dev/demo-hooks.js'
import { startDemoHooks } from './routes/dev/hook-mock.js'
import app from './app.js'

/** Milliseconds for HTTP requests to end when the process ends. */
const STRAGGLER_MS = 1000

export interface ServerOptions {
  config: GatewayConfig
  /** `mics dev`: with the demo tenant, its hooks and its page. */
  embedded: boolean
  /** One of several nodes of the demo: they share its hooks. Default: it is alone, and serves the hooks itself. */
  demo?: { hooksUrl: string, nodes: () => readonly DemoNode[] }
  /** Where events go. Default: to Kafka where it is configured, else where `embedded` into memory. */
  eventTransport?: EventTransport
  /** Drain on SIGTERM and SIGINT, and exit. Default: true. */
  handleSignals?: boolean
  /** One of several processes that share the port. Default: it is the only one. */
  worker?: Worker
  /** Awaited between being ready and listening; where it rejects, the start does. */
  beforeListen?: () => Promise<void>
}

export interface Server {
  app: FastifyInstance
  /** Where clients reach it, for example `http://localhost:8080`. */
  url: string
  /** Drains, then closes. Resolves when all is done; later calls join the first. */
  close (): Promise<void>
  /** Resolves when the server has closed, whoever asked. */
  closed: Promise<void>
}

/** Starts the gateway; resolves when it listens. Rejects when it cannot: a port in use, an unreadable tenants file. */
export async function startServer (options: ServerOptions): Promise<Server> {
  // Whoever configures a tenant of the demo's name means their own.
  const hasDemo = options.embedded && !options.config.tenants.some(({ id }) => id === demoTenantId)
  const hooks = hasDemo && options.demo === undefined ? await startDemoHooks() : undefined
  const hooksUrl = options.demo?.hooksUrl ?? hooks?.url
  const config = hasDemo && hooksUrl !== undefined
    ? { ...options.config, tenants: [...options.config.tenants, demoTenant(hooksUrl)] }
    : options.config
  const gateway = fastify({
    logger: loggerOptions(config.logLevel, config.nodeId, logFormat(options), options.worker?.id),
    // A line a request says nothing that the metrics do not, and a connection has lines of its own.
    logController: new LogController({ disableRequestLogging: true }),
    // Time for the headers of an upgrade to arrive.
    requestTimeout: 10_000,
    forceCloseConnections: 'idle',
    // Fastify's own answer to a URL that is none repeats it, query and all.
    frameworkErrors: (_error, _request, reply) => { (reply as FastifyReply).code(400).send({ error: 'bad request' }) },
  })
  gateway.addHook('onClose', async () => hooks?.close())
  try {
    await gateway.register(app, {
      config,
      embedded: options.embedded,
      demoNodes: options.demo?.nodes,
      eventTransport: options.eventTransport,
      worker: options.worker,
    })
    await gateway.ready()
    await options.beforeListen?.()
    await gateway.listen({ host: config.host, port: config.port })
  } catch (error) {
    await gateway.close()
    throw error
  }
  announce(gateway.log, config, options.embedded)

  let closing: Promise<void> | undefined
  const closed = new Promise<void>(resolve => gateway.server.once('close', () => resolve()))
  const close = (): Promise<void> => {
    closing ??= drainAndClose(gateway, config)
    return closing
  }
  if (options.handleSignals ?? true) stopOnSignals(gateway.log, close)
  const { port } = gateway.server.address() as { port: number }
  return { app: gateway, url: `http://${urlHost(config.host)}:${port}`, close, closed }
}

async function drainAndClose (gateway: FastifyInstance, config: GatewayConfig): Promise<void> {
  if (config.drainDelaySeconds > 0) gateway.log.info({ seconds: config.drainDelaySeconds }, 'leaving: load balancers may notice')
  await gateway.lifecycle.leave(config.drainDelaySeconds * 1000)
  gateway.log.info('draining')
  await gateway.lifecycle.drain(AbortSignal.timeout(config.drainTimeoutSeconds * 1000), (step, err) => {
    gateway.log.error({ err, step }, 'a step of draining failed')
  })
  // To Node a connection that has sent nothing yet, or half a request, is a busy one, and close() would wait for it.
  const stragglers = setInterval(() => gateway.server.closeAllConnections(), STRAGGLER_MS)
  await gateway.close().finally(() => clearInterval(stragglers))
  gateway.log.info('stopped')
}

/** The first signal drains; a second one ends the process at once, for whoever cannot wait. */
function stopOnSignals (log: FastifyBaseLogger, close: () => Promise<void>): void {
  let stopping = false
  const stop = (signal: NodeJS.Signals): void => {
    if (stopping) {
      log.warn({ signal }, 'second signal: ending at once')
      exit(log, 1)
      return
    }
    stopping = true
    log.info({ signal }, 'signal received: draining; a second signal ends at once')
    exitAfter(close, log)
  }
  process.on('SIGTERM', stop)
  process.on('SIGINT', stop)
}

function announce (log: FastifyBaseLogger, config: GatewayConfig, embedded: boolean): void {
  if (embedded) return
  if (config.redisUrl === '') log.info('no REDIS_URL: this node is alone, clients of other nodes are not reached')
  if (config.kafkaBrokers === '') log.info('no KAFKA_BROKERS: no events are published')
}

function logFormat ({ embedded, demo }: ServerOptions): LogFormat {
  if (!embedded) return 'json'
  return demo === undefined ? 'readable' : 'named'
}

/** A wildcard address is no address to go to. */
function urlHost (host: string): string {
  if (host === '0.0.0.0' || host === '::') return 'localhost'
  return host.includes(':') ? `[${host}]` : host
}
