#!/usr/bin/env node
import { Command, Option } from 'commander'
import { clientCommand } from './client.js'
import { configCommand } from './config-check.js'
import { devCommand } from './dev.js'
import { eventsCommand } from './events.js'
import { hookCommand } from './hook.js'
import { loadCommand } from './load.js'
import { mockCommand } from './mock.js'
import { startCommand } from './start.js'
import { traceMessageCommand } from './trace-message.js'
import { version } from '../lib/version.js'

const program = new Command('mics')
  .description('MICS: multi-tenant IM gateway. WebSocket clients in, your HTTP hooks decide, messages out.')
  .version(version(), '-V, --version', 'print the version, as -v does')
  .addOption(new Option('-v').hideHelp())
  .on('option:v', () => {
    process.stdout.write(`${version()}\n`)
    process.exit()
  })
  .showHelpAfterError('(--help shows what is possible)')
  .addCommand(devCommand())
  .addCommand(startCommand())
  .addCommand(configCommand())
  .addCommand(hookCommand())
  .addCommand(mockCommand())
  .addCommand(clientCommand())
  .addCommand(loadCommand())
  .addCommand(eventsCommand())
  .addCommand(traceMessageCommand())
  .addHelpText('after', `
Examples:
  $ mics dev                      a demo to play with at http://localhost:8080
  $ mics start                    production, configured by environment variables
  $ mics config check             what is in effect, or everything that is wrong
  $ mics hook mock --port 8081    hooks to try your own gateway against
  $ mics hook doctor --help       what is wrong with a tenant's hooks
  $ mics mock                     a scripted gateway to test a client SDK against
  $ mics client -t me --user bob    connect as a user, send, and print what comes
  $ mics load pair --tenant me      put load on it, and check every message
  $ mics events tail --tenant me  what is published for a tenant
  $ mics trace-message -t me -m 1 why a message did not arrive`)

inheritSettings(program)
await program.parseAsync()

/** What is set above, such as the hint after an error, for every command: addCommand alone passes nothing on. */
function inheritSettings (command: Command): void {
  for (const child of command.commands) {
    child.copyInheritedSettings(command)
    inheritSettings(child)
  }
}
