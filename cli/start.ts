import { Command } from 'commander'
import { withListenOptions, type ListenOptions } from './listen-options.js'
import { runServer } from './run-server.js'

export function startCommand (): Command {
  return new Command('start')
    .description('run a gateway in production, configured by environment variables')
    .option('-p, --port <number>', 'port for clients; 0: any free one (PORT, default 8080)')
    .option('--host <address>', 'address to listen on (HOST, default 0.0.0.0)')
    .addHelpText('after', `
At least one tenant is needed: TENANT_AUTH_MAP or TENANTS_FILE. Every variable is described in
docs/configuration.md, and \`mics config check\` shows what is in effect.

Exit codes: 2 where the configuration cannot be used, 1 for any other failure.

Examples:
  $ TENANT_AUTH_MAP='{"acme":"http://hooks.acme.example:8081"}' mics start
  $ TENANTS_FILE=/etc/mics/tenants.yaml PORT=9000 mics start`)
    .action(async (options: ListenOptions) => {
      const { closed } = await runServer(withListenOptions(process.env, options), { embedded: false })
      await closed
    })
}
