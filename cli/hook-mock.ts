import { Command, InvalidArgumentError } from 'commander'
import { fail } from './failure.js'

type Groups = Record<string, string[]>

interface HookMockCommandOptions {
  port: number
  host: string
  secret?: string[]
  members?: Groups
}

export function mockCommand (): Command {
  return new Command('mock')
    .description("run the demo tenant's hooks alone, to try a gateway of your own against")
    .option('-p, --port <number>', 'port to listen on; 0: any free one', parsePort, 8081)
    .option('--host <address>', 'address to listen on', '127.0.0.1')
    .option('--secret <secret>', 'check that every call is signed with this secret, or another one given so; without any none is checked', addSecret)
    .option('--members <group=users...>', 'a group and its members, as group=alice,bob; several may be given', addGroup)
    .addHelpText('after', `
It takes the token valid:<user> for <user>, allows every message, and prints each call.

Examples:
  $ mics hook mock --port 8081
  $ mics hook mock --secret s3cret --members team=alice,bob --members all=alice,bob,carol
  $ mics hook mock --secret old-secret --secret new-secret

With a gateway beside it:
  $ TENANT_AUTH_MAP='{"demo":"http://127.0.0.1:8081"}' mics start`)
    .action(async ({ port, host, secret: secrets = [], members = {} }: HookMockCommandOptions) => {
      try {
        // Loaded here, so that help need not wait for a web server.
        const { startHookMock } = await import('../routes/dev/hook-mock.js')
        const { url, close } = await startHookMock({ host, port, secrets, groups: members, log: true })
        const stop = (): void => { close().catch(fail) }
        process.once('SIGINT', stop)
        process.once('SIGTERM', stop)
        process.stdout.write(`
  The demo hooks answer at ${url}

  Point a gateway at them: TENANT_AUTH_MAP='${JSON.stringify({ demo: url })}' mics start
  To stop them, press Ctrl-C.

`)
      } catch (error) {
        // It reads no environment: PORT and HOST are the gateway's.
        fail(error, { port: '--port', host: '--host' })
      }
    })
}

function parsePort (text: string): number {
  const port = Number(text)
  if (!/^\d+$/.test(text) || port > 65535) throw new InvalidArgumentError('It takes a whole number from 0 to 65535.')
  return port
}

function addSecret (text: string, secrets: string[] = []): string[] {
  if (text === '') throw new InvalidArgumentError('It takes a secret; leave the option out to check none.')
  return [...secrets, text]
}

function addGroup (text: string, groups: Groups = {}): Groups {
  const separator = text.indexOf('=')
  const members = text.slice(separator + 1).split(',').map(member => member.trim())
  if (separator < 1 || members.includes('')) throw new InvalidArgumentError('It takes group=member,member, such as team=alice,bob.')
  return { ...groups, [text.slice(0, separator)]: members }
}
