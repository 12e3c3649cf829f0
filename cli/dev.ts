import { networkInterfaces } from 'node:os'
import { Command } from 'commander'
import { loadConfig } from '../lib/config/load-config.js'
import { withListenOptions, type ListenOptions } from './listen-options.js'
import { runServer } from './run-server.js'

export function devCommand (): Command {
  return new Command('dev')
    .description('run a gateway with a demo tenant and a chat page: nothing to install, nothing to configure')
    .option('-p, --port <number>', 'port to listen on; 0: any free one (PORT, default 8080)')
    .option('--host <address>', 'address to listen on (HOST, default 0.0.0.0)')
    .addHelpText('after', `
Everything is in memory: no Redis, no Kafka. Not for production; that is \`mics start\`.

Examples:
  $ mics dev
  $ mics dev --port 9000
  $ LOG_LEVEL=debug mics dev --host 127.0.0.1`)
    .action(async (options: ListenOptions) => {
      const env = withListenOptions(process.env, options)
      const { url, closed } = await runServer(env, { embedded: true })
      const { host } = loadConfig(env, { embedded: true })
      process.stdout.write(`
  MICS is running at ${url}

  Open it in two tabs and chat as two people. There is nothing to install or configure.
  To stop it, press Ctrl-C.
${fromElsewhere(url, host, networkInterfaces()).map(line => `\n  ${line}`).join('')}

`)
      await closed
    })
}

/** What to know where other machines reach the demo, which asks nobody for a password; no lines where they do not. */
export function fromElsewhere (url: string, host: string, interfaces: ReturnType<typeof networkInterfaces>): string[] {
  if (host !== '0.0.0.0' && host !== '::') return []
  const warning = 'Anybody who reaches this port can sign in as anybody; --host 127.0.0.1 keeps it to this machine.'
  const outward = Object.values(interfaces).flat().find(one => one?.family === 'IPv4' && !one.internal)
  if (outward === undefined) return [warning]
  const phone = new URL(url)
  phone.hostname = outward.address
  return [`On your phone: ${phone.origin}`, warning]
}
