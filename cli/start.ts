import { Command } from 'commander'
import { isSet } from '../lib/config/load-config.js'
import { workerCount } from '../lib/workers/worker-count.js'
import { withListenOptions, type ListenOptions } from './listen-options.js'
import { runServer } from './run-server.js'

interface StartOptions extends ListenOptions {
  workers?: string
}

export function startCommand (): Command {
  return new Command('start')
    .description('run a gateway in production, configured by environment variables')
    .option('-p, --port <number>', 'port for clients; 0: any free one (PORT, default 8080)')
    .option('--host <address>', 'address to listen on (HOST, default 0.0.0.0)')
    .option('-w, --workers <number>', 'processes that share the port, each a node of the cluster; auto: one for each core (WORKERS, default 1)')
    .addHelpText('after', `
At least one tenant is needed: TENANT_AUTH_MAP or TENANTS_FILE. Every variable is described in
docs/configuration.md, and \`mics config check\` shows what is in effect.

Several workers need REDIS_URL and CLUSTER_GRPC_TOKEN. They are called NODE_ID-1, NODE_ID-2 and so on, and listen for
their peers on NODE_PORT and the ports after it.

Exit codes: 2 where the configuration cannot be used, 1 for any other failure.

Examples:
  $ TENANT_AUTH_MAP='{"acme":"http://hooks.acme.example:8081"}' mics start
  $ TENANTS_FILE=/etc/mics/tenants.yaml PORT=9000 mics start`)
    .action(async ({ workers, ...options }: StartOptions) => {
      const env = withWorkers(withListenOptions(process.env, options), workers)
      if (wantsSeveral(env)) {
        // Loaded here, so that a single process knows nothing of it.
        const { runWorkers } = await import('./run-workers.js')
        await runWorkers(env)
      } else {
        const { closed } = await runServer(env, { embedded: false })
        await closed
      }
    })
}

/** The environment with the command line's word in place of WORKERS. */
function withWorkers (env: NodeJS.ProcessEnv, workers: string | undefined): NodeJS.ProcessEnv {
  return workers === undefined ? env : { ...env, WORKERS: workers }
}

/** Also where the setting is no number: whoever reads the configuration says what is wrong with it. */
function wantsSeveral (env: NodeJS.ProcessEnv): boolean {
  return isSet(env, 'WORKERS') && workerCount(String(env.WORKERS).trim()) !== 1
}
