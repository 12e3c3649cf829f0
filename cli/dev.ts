import { Command } from 'commander'
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
      const { url, closed } = await runServer(withListenOptions(process.env, options), { embedded: true })
      process.stdout.write(`
  MICS is running at ${url}

  Open it in two tabs and chat as two people. There is nothing to install or configure.
  To stop it, press Ctrl-C.

`)
      await closed
    })
}
