import { Command, InvalidArgumentError, Option, type ErrorOptions } from 'commander'
import { checkGroups, type CheckGroup } from '../lib/hook-doctor/finding.js'
import { checkHookUrl } from '../lib/tenants/hook-url.js'
import { MAX_CHECK_BATCH_MESSAGES } from '../lib/tenants/tenant.js'
import { tenantIdPattern, tenantIdTakes } from '../lib/tenants/tenant-id.js'
import { DoctorReportLines } from './doctor-report.js'
import { CommandError, exitFailure, fail } from './failure.js'
import { LineOutput } from './line-output.js'
import { readSecret } from './secret-file.js'

interface DoctorCommandOptions {
  url: string
  tenant: string
  secret?: string
  secretFile?: string
  token?: string
  device: string
  user?: string
  to?: string
  group?: string
  batch?: number
  only?: CheckGroup[]
  skipBad?: boolean
  timeout: number
  json?: boolean
}

/** The command was called wrongly: 1 is for hooks that fail. */
const exitUsage = 2

const defaultToken = 'valid:doctor'

class UsageExitCommand extends Command {
  override error (message: string, options?: ErrorOptions): never {
    return super.error(message, { ...options, exitCode: exitUsage })
  }
}

export function doctorCommand (): Command {
  return new UsageExitCommand('doctor')
    .description("call a tenant's hooks as the gateway does, good calls and bad ones, and say what to mend")
    .requiredOption('--url <url>', 'base URL of /auth, as the gateway is configured with', parseUrl)
    .requiredOption('-t, --tenant <id>', 'the tenant, as in the calls', parseTenant)
    .addOption(new Option('--secret <secret>', 'the secret that signs the calls (MICS_HOOK_SECRET); without any they are not signed')
      .argParser(notEmpty('a secret')).conflicts('secretFile'))
    .option('--secret-file <path>', 'a file with that secret')
    .option('--token <token>', `a token that /auth takes (MICS_TOKEN, else ${defaultToken})`, notEmpty('a token'))
    .option('--device <id>', 'the device that connects with it', notEmpty('an id'), 'doctor')
    .option('--to <user>', "whom a message to be checked is for (default: the token's user)", notEmpty('an id'))
    .option('--group <id>', 'a group that has members', notEmpty('an id'))
    .option('--user <id>', "whose offline messages to pull (default: the token's user, where config sets offline_use_hook_pull)", notEmpty('an id'))
    .option('--batch <messages>', 'examine /check-messages with so many messages a call (default: what config sets as check_batch_max_messages)', parseBatch)
    .option('--only <check,...>', `only these checks: ${checkGroups.join(', ')}`, parseChecks)
    .option('--skip-bad', 'make no forged, broken or huge calls, which may alarm those who look after a server in production')
    .option('--timeout <seconds>', 'give a call up after so long; the gateway does after 150 ms, and later answers fail', parseSeconds, 5)
    .option('--json', 'print JSON')
    .addHelpText('after', `
It asks as the gateway would: the same requests, headers and signatures, over connections that are kept open. What /auth
gives as config holds for the other hooks. Nothing is sent to anybody, but /check-message is asked about some messages,
a hundred times and more by "load", and /check-messages, where config sets check_batch_max_messages, about thousands;
/get-offline-messages gives what a connecting device would get. Calls of "load" are as many at once as
hook_max_concurrency allows, 32 unless config says otherwise.

Others see the arguments of a command: give real secrets and tokens in files or in the environment. None is printed.
Times are those between this machine and the server: run it near the gateway.

Exit codes: 0 where nothing failed, 1 where something did, 2 where the command was not called as above.

Examples:
  $ mics hook doctor --url http://127.0.0.1:8081 --tenant acme --secret-file acme.secret
  $ MICS_TOKEN=… mics hook doctor --url https://hooks.acme.example/im --tenant acme --secret-file acme.secret --group team
  $ mics hook doctor --url https://hooks.acme.example/im --tenant acme --skip-bad --only reach,auth
  $ mics hook doctor --url http://127.0.0.1:8081 --tenant acme --json | jq -r '.findings[] | select(.result == "fail") | .advice'

Hooks to try it with:
  $ mics hook mock --secret s3cret
  $ mics hook doctor --url http://127.0.0.1:8081 --tenant demo --secret s3cret --group team`)
    .action(async (options: DoctorCommandOptions, command: Command) => {
      const secret = secretOf(options, process.env, command)
      try {
        process.exitCode = await examine(options, secret, process.env)
      } catch (error) {
        fail(error)
      }
    })
}

/** Resolves with the exit code. */
async function examine (options: DoctorCommandOptions, secret: string, env: NodeJS.ProcessEnv): Promise<number> {
  const { url, tenant: tenantId, token, device: deviceId, user: userId, to: toUserId, group: groupId } = options
  const { batch: batchSize, only, skipBad = false, timeout, json } = options
  const output = new LineOutput(process.stdout)
  const lines = new DoctorReportLines(process.stdout.isTTY)
  const write = (text: string[]): void => {
    for (const line of text) output.write(line).catch(fail)
  }
  // Loaded here, so that help need not wait for it.
  const { examineHooks } = await import('../lib/hook-doctor/hook-doctor.js')
  const report = await examineHooks({
    url,
    tenantId,
    secret,
    token: token ?? (env.MICS_TOKEN || defaultToken),
    deviceId,
    userId,
    toUserId,
    groupId,
    batchSize,
    ...only && { only: new Set(only) },
    skipBad,
    timeoutMs: timeout * 1000,
    onFinding: json ? undefined : finding => write(lines.of(finding)),
  })
  write(json ? [JSON.stringify({ url, tenant: tenantId, ...report }, null, 2)] : lines.summary(report))
  return report.ok ? 0 : exitFailure
}

/** What is given goes before the environment; a variable that is empty counts as not set. */
function secretOf ({ secret, secretFile }: DoctorCommandOptions, env: NodeJS.ProcessEnv, command: Command): string {
  try {
    return secret ?? (secretFile === undefined ? env.MICS_HOOK_SECRET ?? '' : readSecret(secretFile))
  } catch (error) {
    if (error instanceof CommandError) command.error(`error: ${error.message}`)
    throw error
  }
}

function parseUrl (text: string): string {
  const problem = checkHookUrl(text)
  if (problem !== undefined) throw new InvalidArgumentError(`It ${problem}. It takes the base URL of the hooks, such as https://hooks.acme.example/im.`)
  return text
}

function parseTenant (text: string): string {
  if (!new RegExp(tenantIdPattern, 'u').test(text)) throw new InvalidArgumentError(`It takes ${tenantIdTakes}.`)
  return text
}

function parseChecks (text: string): CheckGroup[] {
  const names = text.split(',').map(name => name.trim())
  const unknown = names.find(name => !checkGroups.some(check => check === name))
  if (unknown !== undefined) throw new InvalidArgumentError(`There is no check ${JSON.stringify(unknown)}; there are ${checkGroups.join(', ')}.`)
  return names as CheckGroup[]
}

function parseBatch (text: string): number {
  const messages = Number(text)
  if (!/^\d+$/.test(text) || messages < 2 || messages > MAX_CHECK_BATCH_MESSAGES) {
    throw new InvalidArgumentError(`It takes a number of messages, from 2 to ${MAX_CHECK_BATCH_MESSAGES}.`)
  }
  return messages
}

function parseSeconds (text: string): number {
  const seconds = Number(text)
  if (!/^\d+(\.\d+)?$/.test(text) || seconds <= 0 || seconds > 3600) throw new InvalidArgumentError('It takes seconds, more than 0 and at most 3600.')
  return seconds
}

function notEmpty (what: string): (text: string) => string {
  return text => {
    if (text === '') throw new InvalidArgumentError(`It takes ${what}.`)
    return text
  }
}
