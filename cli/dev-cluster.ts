import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import type { GatewayConfig } from '../lib/config/gateway-config.js'
import { isSet } from '../lib/config/load-config.js'
import { reachableHost } from '../lib/config/reachable-host.js'
import { suspiciousVariables } from '../lib/config/suspicious-variables.js'
import { DevNodes, NodeEndedError, type RunningNode } from './dev-nodes.js'
import { openDevRedis } from './dev-redis.js'
import { CommandError, exitFailure, fail } from './failure.js'
import { freePorts } from './free-ports.js'
import { loadAll } from './load-all.js'

/** Milliseconds until a node that has ended starts again. */
const RESTART_DELAY_MS = 10_000

/** What there is once all nodes listen. */
export interface DevCluster {
  nodes: RunningNode[]
  /** Which Redis it is. */
  redis: string
  /** The address that the nodes listen on. */
  host: string
}

/**
 * Runs the demo as several nodes until SIGINT, SIGTERM or SIGHUP, or ends the process with what is in the way. A second
 * signal ends all of it at once.
 */
export async function runDevCluster (
  env: NodeJS.ProcessEnv, count: number, onUp: (cluster: DevCluster) => void
): Promise<void> {
  const stopping = signalled()
  const stopped = once(stopping, 'abort')
  const opened: { close (): Promise<void> }[] = []
  function open<T extends { close (): Promise<void> }> (one: T): T {
    opened.push(one)
    stopping.throwIfAborted()
    return one
  }

  let failure: unknown
  try {
    // Before anything can fail: a misspelled name may be why a variable is missing.
    for (const warning of suspiciousVariables(env)) process.stderr.write(`warning: ${warning}\n`)
    const shared = {
      ...env,
      NODE_ID: 'node-1',
      NODE_PORT: '0',
      PUBLIC_ENDPOINT: 'http://127.0.0.1',
      CLUSTER_GRPC_TOKEN: isSet(env, 'CLUSTER_GRPC_TOKEN') ? env.CLUSTER_GRPC_TOKEN : randomBytes(16).toString('hex'),
    }
    const config = await loadAll(shared, { embedded: true })
    const own = await nodeVariables(config, count)

    const redis = open(await openDevRedis({ env, redisUrl: config.redisUrl }))
    redis.ended.then(how => say(`redis-server has ended (${how}): each node is on its own until you start the demo again`))
    // Loaded here, so that help and configuration errors need not wait for a web server.
    const { startDemoHooks } = await import('../routes/dev/hook-mock.js')
    const hooks = open(await startDemoHooks())
    const nodes = open(new DevNodes({
      envs: own.map(variables => ({ ...shared, ...(config.redisUrl === '' ? { REDIS_URL: redis.url } : {}), ...variables })),
      hooksUrl: hooks.url,
      restartDelayMs: RESTART_DELAY_MS,
      say,
    }))
    const up = nodes.listening().then(running => {
      if (!stopping.aborted) onUp({ nodes: running, redis: redis.origin, host: config.host })
    })
    await Promise.race([up, stopped])
    await stopped
  } catch (error) {
    if (!stopping.aborted) failure = error
  }
  for (const one of opened.toReversed()) await one.close()
  // The node itself has said what is wrong.
  if (failure instanceof NodeEndedError) process.exit(exitFailure)
  if (failure !== undefined) fail(failure)
}

/** What each node has of its own: its name, its port for clients, and where its peers reach it. */
async function nodeVariables ({ host, port }: GatewayConfig, count: number): Promise<NodeJS.ProcessEnv[]> {
  const last = port + count - 1
  if (last > 65_535) {
    throw new CommandError('MICS_PORTS', `${count} nodes take the ports ${port} to ${last}, and 65535 is the last there is; choose a lower one with PORT or --port`)
  }
  return (await freePorts(count)).map((nodePort, index) => ({
    NODE_ID: `node-${index + 1}`,
    PORT: String(port === 0 ? 0 : port + index),
    NODE_PORT: String(nodePort),
    PUBLIC_ENDPOINT: `http://${reachableHost(host)}:${nodePort}`,
  }))
}

/** Aborted by the first signal. A second one exits: nodes and redis-server end with the process. */
function signalled (): AbortSignal {
  const abort = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      // A terminal that closes says so after its Ctrl-C too; nobody is impatient then.
      if (abort.signal.aborted && signal !== 'SIGHUP') process.exit(exitFailure)
      abort.abort()
    })
  }
  return abort.signal
}

function say (line: string): void {
  process.stdout.write(`  ${line}\n`)
}
