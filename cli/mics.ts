#!/usr/bin/env node
import { Command } from 'commander'
import { configCommand } from './config-check.js'
import { devCommand } from './dev.js'
import { hookCommand } from './hook-mock.js'
import { startCommand } from './start.js'
import { version } from './version.js'

await new Command('mics')
  .description('MICS: multi-tenant IM gateway. WebSocket clients in, your HTTP hooks decide, messages out.')
  .version(version())
  .showHelpAfterError('(--help shows what is possible)')
  .addCommand(devCommand())
  .addCommand(startCommand())
  .addCommand(configCommand())
  .addCommand(hookCommand())
  .addHelpText('after', `
Examples:
  $ mics dev                    a demo to play with at http://localhost:8080
  $ mics start                  production, configured by environment variables
  $ mics config check           what is in effect, or everything that is wrong
  $ mics hook mock --port 8081  hooks to try your own gateway against`)
  .parseAsync()
