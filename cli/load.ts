import { readFile } from 'node:fs/promises'
import { Argument, Command, InvalidArgumentError, Option, type ErrorOptions } from 'commander'
import { LoadError } from '../lib/load-test/load-error.js'
import { loadModes, MAX_CONNECTIONS, MAX_SECONDS, MAX_THREADS, type LoadMode, type LoadUser } from '../lib/load-test/load-options.js'
import { CommandError, exitFailure, fail } from './failure.js'
import { parseGatewayUrls } from './gateway-urls.js'
import { LineOutput } from './line-output.js'
import { LoadProgressLine } from './load-progress-line.js'
import { loadReportLines } from './load-report.js'

interface LoadCommandOptions {
  url?: string[]
  tenant: string[]
  connections?: number
  connectRate?: number
  rate?: number
  window?: number
  size?: number
  duration?: number
  warmup?: number
  drain?: number
  heartbeat?: number
  threads?: number
  user?: string
  token?: string
  tokensFile?: string
  device?: string
  group?: string[]
  groupSize?: number
  groupSenders?: number
  hold?: number
  messages?: number
  sourceAddresses?: string[]
  spin?: boolean
  json?: boolean
}

const defaultUrl = 'ws://localhost:8080'

/** The command was called wrongly: 1 is for a run in which something went wrong. */
const exitUsage = 2
/** As a shell has it for what Ctrl-C has ended. */
const exitInterrupted = 130

class UsageExitCommand extends Command {
  override error (message: string, options?: ErrorOptions): never {
    return super.error(message, { ...options, exitCode: exitUsage })
  }
}

export function loadCommand (): Command {
  const load = new UsageExitCommand('load')
  return load
    .description('put load on gateways, check what comes, and say how fast it was')
    .addArgument(new Argument('<mode>', 'what the connections do').choices(loadModes))
    .option('--url <url,...>', `gateways; connections are spread over them (default: ${defaultUrl})`,
      (text, earlier: string[] = []) => [...earlier, ...parseGatewayUrls(text, load)])
    .requiredOption('-t, --tenant <id,...>', 'tenants; connections are spread over them', list)
    .option('-c, --connections <number>', 'connections at once (default: 100)', whole(1, MAX_CONNECTIONS))
    .option('--connect-rate <number>', 'connections to open a second (default: 200)', rate)
    .addOption(new Option('-r, --rate <number>', 'messages a second in all, sent when they are due (default: 100)')
      .conflicts('window').argParser(rate))
    .option('-w, --window <number>', 'instead: messages that each sender keeps unanswered', whole(1, 10_000))
    .option('--size <bytes>', 'bytes of a body, 16 and more (default: 128)', whole(16, 16 * 1024 * 1024))
    .option('-d, --duration <seconds>', 'load that is measured (default: 10)', seconds(0.1))
    .option('--warmup <seconds>', 'load before that, checked and not measured (default: 0)', seconds(0))
    .option('--drain <seconds>', 'wait at most so long for what is late (default: 10)', seconds(0))
    .option('--heartbeat <seconds>', "between two of a connection: a third of the tenant's window (default: 10)", seconds(0.1))
    .option('--threads <number>', 'worker threads (default: 1)', whole(1, MAX_THREADS))
    .option('--user <template>', 'users; {n}, {tenant} and {group} are filled in (default: load-{n})', notEmpty('a template'))
    .addOption(new Option('--token <template>', 'their tokens; {user} is filled in too (default: valid:{user})')
      .conflicts('tokensFile').argParser(notEmpty('a template')))
    .addOption(new Option('--tokens-file <path>', 'users and tokens instead, one user and its token a line').conflicts('user'))
    .option('--device <id>', 'their device (default: load)', notEmpty('an id'))
    .option('--group <id,...>', 'groups, for the modes group and mixed', list)
    .option('--group-size <number>', 'members of each group that connect (default: 10)', whole(2, 65_535))
    .option('--group-senders <number>', 'members of each group that send (default: all)', whole(1, 65_535))
    .option('--hold <seconds>', 'mode churn: how long a connection stays (default: 1)', seconds(0))
    .option('--messages <number>', 'mode offline: to each absent user in each round (default: 10)', whole(1, 1_000_000))
    .option('--source-addresses <ip,...>', 'local addresses to connect from, for more than 28,000 connections to a URL', list)
    .option('--spin', 'send at the very moment; each thread takes a core')
    .option('--json', 'print JSON')
    .addHelpText('after', `
Modes:
  connect    opens connections and keeps them
  heartbeat  the same, to measure heartbeats: --heartbeat is their interval
  pair       single chat: half of the users send, each to one of the others
  group      members of --group send to it, the others receive
  offline    sends to users who are absent; then they connect and get what waited, again and again
  churn      connections come at --connect-rate, stay for --hold and go
  mixed      60 % pairs, 10 % offline, 20 % idle, 10 % churn, and --group beside it

Every message is followed from its sender to each recipient: what is lost, comes twice or out of order is found. With
--rate latencies count from when a message was due, with --window from when it was sent. A lost connection is a result:
it is not opened again. It stops by itself; Ctrl-C stops it early, and a second one at once.

The defaults fit the demo tenant of \`mics dev\`, which allows 1000 connections and 1000 messages a second. Others see the
arguments of a command: give real tokens in --tokens-file. docs/guides/load-testing.md explains each figure.

Exit codes: 0 where nothing was lost, duplicated, reordered, refused or cut and each message was acked SENT; 1 where not,
and where it could not run; 2 where the command was not called as above; 130 after Ctrl-C.

Examples:
  $ mics load pair --tenant demo
  $ mics load pair --tenant demo --connections 20 --window 8 --duration 30
  $ mics load group --tenant demo --group lobby --group-size 50 --rate 10
  $ mics load connect --tenant acme --url wss://im.example --tokens-file tokens --connections 5000 --connect-rate 500
  $ mics load mixed --tenant demo --json | jq .latencies.delivery.p99`)
    .action(async (mode: LoadMode, options: LoadCommandOptions) => {
      try {
        process.exitCode = await run(mode, options)
      } catch (error) {
        if (!(error instanceof LoadError)) fail(error)
        if (error.code === 'MICS_LOAD_OPTIONS') load.error(`error: ${error.message}`)
        fail(new CommandError(error.code, error.message))
      }
    })
}

/** Resolves with the exit code. */
async function run (mode: LoadMode, options: LoadCommandOptions): Promise<number> {
  const users = options.tokensFile === undefined ? undefined : await usersIn(options.tokensFile)
  const output = new LineOutput(process.stdout)
  const progress = new LoadProgressLine(process.stderr)
  const stop = new AbortController()
  process.once('SIGINT', () => stop.abort())
  process.once('SIGTERM', () => stop.abort())
  // Loaded here, so that help need not wait for it.
  const { runLoad } = await import('../lib/load-test/run-load.js')
  const result = await runLoad({
    mode,
    urls: options.url ?? [defaultUrl],
    tenants: options.tenant,
    connections: options.connections,
    connectRate: options.connectRate,
    rate: options.rate,
    window: options.window,
    bodyBytes: options.size,
    durationSeconds: options.duration,
    warmupSeconds: options.warmup,
    drainSeconds: options.drain,
    heartbeatSeconds: options.heartbeat,
    threads: options.threads,
    userTemplate: options.user,
    tokenTemplate: options.token,
    users,
    deviceId: options.device,
    groups: options.group,
    groupSize: options.groupSize,
    groupSenders: options.groupSenders,
    holdSeconds: options.hold,
    offlineMessages: options.messages,
    sourceAddresses: options.sourceAddresses,
    spin: options.spin,
  }, { signal: stop.signal, onProgress: one => progress.update(one) }).finally(() => progress.end())
  const lines = options.json === true ? [JSON.stringify(result, null, 2)] : loadReportLines(result)
  for (const line of lines) await output.write(line)
  if (result.interrupted) return exitInterrupted
  return result.ok ? 0 : exitFailure
}

async function usersIn (path: string): Promise<LoadUser[]> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    throw new LoadError('MICS_LOAD_OPTIONS', `--tokens-file: cannot read ${path} (${(error as Error).message})`, { cause: error })
  }
  const lines = text.split('\n').map(line => line.trim())
  return lines.flatMap((line, index) => {
    if (line === '') return []
    const [userId, token, ...more] = line.split(/\s+/)
    if (token === undefined || more.length > 0) {
      // Not the line itself: it may be a token.
      throw new LoadError('MICS_LOAD_OPTIONS', `--tokens-file: line ${index + 1} of ${path} is not a user and a token with a space between them`)
    }
    return [{ userId, token }]
  })
}

function list (text: string, earlier: string[] = []): string[] {
  const items = text.split(',').map(item => item.trim())
  if (items.includes('')) throw new InvalidArgumentError('It takes one or more, separated by commas.')
  return [...earlier, ...items]
}

function whole (least: number, most: number): (text: string) => number {
  return text => {
    const number = Number(text)
    if (!/^\d+$/.test(text) || number < least || number > most) {
      throw new InvalidArgumentError(`It takes a whole number from ${least} to ${most}.`)
    }
    return number
  }
}

function rate (text: string): number {
  const number = Number(text)
  if (!/^\d+(\.\d+)?$/.test(text) || number < 0.01 || number > 10_000_000) {
    throw new InvalidArgumentError('It takes how many a second, from 0.01 to 10000000.')
  }
  return number
}

function seconds (least: number): (text: string) => number {
  return text => {
    const number = Number(text)
    if (!/^\d+(\.\d+)?$/.test(text) || number < least || number > MAX_SECONDS) {
      throw new InvalidArgumentError(`It takes seconds, from ${least} to ${MAX_SECONDS}.`)
    }
    return number
  }
}

function notEmpty (what: string): (text: string) => string {
  return text => {
    if (text === '') throw new InvalidArgumentError(`It takes ${what}.`)
    return text
  }
}
