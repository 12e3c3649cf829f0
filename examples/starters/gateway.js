import { loadConfig } from '../../lib/config/load-config.ts'
import { startServer } from '../../server.ts'

/**
 * Where the example connects: to MICS_URL, else to a gateway of its own. That one is `mics dev` within this process: a
 * demo tenant that knows everybody as `valid:<name>`, on any free port of this machine, until Ctrl-C.
 */
export async function gatewayUrl () {
  const given = process.env.MICS_URL ?? ''
  if (given !== '') return given
  const server = await startGateway()
  return server.url.replace('http:', 'ws:')
}

/**
 * A gateway in embedded mode; `env` is its configuration, and `options` are more of startServer. Ends the process where
 * it cannot start: its port is in use, say.
 */
export async function startGateway (env = {}, options = {}) {
  const config = loadConfig({ HOST: '127.0.0.1', PORT: '0', LOG_LEVEL: 'warn', ...env }, { embedded: true })
  const server = await startServer({ config, embedded: true, handleSignals: false, ...options }).catch(error => {
    console.error(`The gateway did not start: ${error.message}`)
    process.exit(1)
  })
  // A second signal ends the process at once.
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => server.close())
  return server
}
