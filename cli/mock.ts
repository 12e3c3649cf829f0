import { readFile } from 'node:fs/promises'
import { Command, InvalidArgumentError } from 'commander'
import { CommandError, fail } from './failure.js'

interface MockOptions {
  scenario?: string
  port: number
  host: string
  seed?: number
  quiet?: true
}

export function mockCommand (): Command {
  return new Command('mock')
    .description('run a scripted gateway, to test a client SDK against')
    .option('-s, --scenario <file>', 'what goes wrong, as conformance/README.md describes; without one nothing does')
    .option('-p, --port <number>', 'port to listen on; 0: any free one', parsePort, 8080)
    .option('--host <address>', 'address to listen on', '127.0.0.1')
    .option('--seed <number>', 'decides what is random, instead of the scenario\'s seed', parseSeed)
    .option('-q, --quiet', 'do not print what is seen')
    .addHelpText('after', `
It takes the token valid:<user> for <user> and any other token for a user of that name, delivers between its
connections, and holds messages for who is not there. What it sees and does it prints, a line of JSON each.
Nothing is kept, and nobody is kept out: it is for tests alone.

Examples:
  $ mics mock
  $ mics mock --scenario conformance/scenarios/drop-mid-ack.json --port 9000
  $ curl localhost:8080/mock/log
  $ curl localhost:8080/mock/deliver --json '{"from":"bob","toUserId":"alice","msgId":"1","body":"hi"}'
  $ curl localhost:8080/mock/close --json '{"userId":"alice","code":4200}'
  $ curl localhost:8080/mock/scenario --json @conformance/scenarios/drain.json`)
    .action(run)
}

async function run ({ scenario: path, port, host, seed, quiet }: MockOptions): Promise<void> {
  try {
    // Loaded here, so that help need not wait for a web server.
    const { startMockServer } = await import('../routes/mock/mock-server.js')
    const scenario = path === undefined ? {} : await scenarioIn(path)
    const onEntry = quiet === true ? undefined : (entry: object): void => { process.stdout.write(`${JSON.stringify(entry)}\n`) }
    const { url, close } = await startMockServer({ host, port, scenario, seed, onEntry })
    const stop = (): void => { close().catch(fail) }
    process.once('SIGINT', stop)
    process.once('SIGTERM', stop)
    process.stderr.write(`
  The mock gateway answers at ${url.replace(/^http/, 'ws')}
  Its log, for tests: ${url}/mock/log

  To stop it, press Ctrl-C.

`)
  } catch (error) {
    // It reads no environment: PORT and HOST are the gateway's.
    fail(error, { port: '--port', host: '--host' })
  }
}

async function scenarioIn (path: string): Promise<object> {
  const { parseScenario, ScenarioError } = await import('../lib/mock-gateway/parse-scenario.js')
  try {
    return parseScenario(await readFile(path, 'utf8'), path)
  } catch (error) {
    if (error instanceof ScenarioError) throw new CommandError(error.code, error.message)
    throw new CommandError('MICS_SCENARIO_UNREADABLE', `${path} cannot be read (${(error as Error).message}): give --scenario the path of a JSON file`)
  }
}

function parsePort (text: string): number {
  const port = Number(text)
  if (!/^\d+$/.test(text) || port > 65535) throw new InvalidArgumentError('It takes a whole number from 0 to 65535.')
  return port
}

function parseSeed (text: string): number {
  const seed = Number(text)
  if (!/^\d+$/.test(text) || seed > 0xffffffff) throw new InvalidArgumentError('It takes a whole number from 0 to 4294967295.')
  return seed
}
