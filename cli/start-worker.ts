import type { FastifyBaseLogger } from 'fastify'
import { loadConfig } from '../lib/config/load-config.js'
import { exit, exitAfter } from '../lib/lifecycle/process-end.js'
import { PrimaryLink, StoppedError } from '../lib/workers/primary-link.js'
import { describeFailure } from './failure.js'
import { withFileProblems } from './load-all.js'

/*
 * One worker of `mics start --workers`, a process of its own: see run-workers.ts, which starts it. Its configuration is
 * in the environment; its arguments are which worker it is, and how many there are.
 */

const [worker = 1, workers = 1] = process.argv.slice(2).map(Number)
const primary = new PrimaryLink(worker, workers)
let log: FastifyBaseLogger | undefined
primary.ending.addEventListener('abort', () => {
  if (log === undefined) process.exit(1) // It has not started yet.
  log.warn('ending at once')
  exit(log, 1)
})
try {
  const config = loadConfig(process.env)
  const { startServer } = await import('../server.js')
  const { app, url, close } = await startServer({
    config,
    embedded: false,
    handleSignals: false,
    worker: { id: worker, metrics: primary.metrics },
    beforeListen: async () => { await primary.mayListen() },
  })
  log = app.log
  const stop = (): void => { exitAfter(close, app.log) }
  primary.stopping.addEventListener('abort', stop)
  if (primary.stopping.aborted) stop()
  else await primary.tell({ kind: 'listening', url })
} catch (error) {
  if (error instanceof StoppedError) process.exit(0)
  const { port } = error as { port?: unknown }
  const settings = { port: String(port) === process.env.NODE_PORT ? 'NODE_PORT' : 'PORT or --port', host: 'HOST' }
  const { text, exitCode } = describeFailure(await withFileProblems(error), settings)
  // The primary says it, once for all workers.
  await primary.tell({ kind: 'failed', text, exitCode })
  process.exit(exitCode)
}
