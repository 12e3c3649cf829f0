import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { fastify, type FastifyBaseLogger } from 'fastify'
import { suspiciousVariables } from '../lib/config/suspicious-variables.js'
import { exit } from '../lib/lifecycle/process-end.js'
import { loggerOptions } from '../lib/log/logger-options.js'
import { heapLimit, memoryLimit } from '../lib/metrics/memory-limits.js'
import { Supervisor, WorkerStartError } from '../lib/workers/supervisor.js'
import { workerCount } from '../lib/workers/worker-count.js'
import { workerHeapArguments } from '../lib/workers/worker-heap.js'
import { workerVariables } from '../lib/workers/worker-variables.js'
import { fail } from './failure.js'
import { loadAll } from './load-all.js'
import { refusePortsInUse } from './ports-in-use.js'

// As a source beside this one, or compiled as this one is.
const program = fileURLToPath(new URL(`./start-worker${extname(import.meta.url)}`, import.meta.url))

/** Runs the gateway as several processes that share a port, or ends the process with what is in the way. */
export async function runWorkers (env: NodeJS.ProcessEnv): Promise<void> {
  // Before anything can fail: a misspelled name may be why a variable is missing.
  for (const warning of suspiciousVariables(env)) process.stderr.write(`warning: ${warning}\n`)
  try {
    const config = await loadAll(env, {})
    const workers = workerCount(config.workers)
    await refusePortsInUse(config, workers)
    const log = fastify({ logger: loggerOptions(config.logLevel, config.nodeId, 'json') }).log
    const supervisor = new Supervisor({
      workers,
      program,
      execArgv: workerHeapArguments({
        workers,
        memoryLimit: memoryLimit(),
        heapLimit: heapLimit(),
        given: [env.NODE_OPTIONS ?? '', ...process.execArgv],
      }),
      variables: worker => ({ ...env, ...workerVariables(config, worker) }),
      log,
    })
    const signals = stopOnSignals(supervisor, log)
    const url = await supervisor.start().catch(error => {
      // Workers that were told to stop before they listened have not failed.
      if (!signals.isStopping) throw error
    })
    if (url !== undefined) log.info({ workers, url, pids: supervisor.pids }, 'all workers take clients')
  } catch (error) {
    if (!(error instanceof WorkerStartError)) fail(error)
    process.stderr.write(`${error.text}\n`)
    process.exit(error.exitCode)
  }
}

/** The first signal drains all workers; a second one ends them at once, for whoever cannot wait. */
function stopOnSignals (supervisor: Supervisor, log: FastifyBaseLogger): { isStopping: boolean } {
  const state = { isStopping: false }
  const stop = (signal: NodeJS.Signals): void => {
    if (state.isStopping) {
      log.warn({ signal }, 'second signal: ending at once')
      supervisor.end()
      return
    }
    state.isStopping = true
    log.info({ signal }, 'signal received: draining; a second signal ends at once')
    supervisor.stop().then(isClean => {
      log.info('all workers have ended')
      exit(log, isClean ? 0 : 1)
    })
  }
  process.on('SIGTERM', stop)
  process.on('SIGINT', stop)
  return state
}
