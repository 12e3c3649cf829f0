import { ConfigError } from '../lib/config/config-error.js'
import { KafkaSettingsError } from '../lib/mq/kafka/client-settings.js'
import { KafkaClientError } from '../lib/mq/kafka/load-client.js'
import { KafkaUnreachableError, TopicReadError } from '../lib/mq/kafka/reader-errors.js'
import { RedisUnreachableError } from '../lib/redis/redis-errors.js'
import { TenantsFileError } from '../lib/tenants/tenants-file.js'
import { ClientNotBuiltError } from '../routes/dev/client-not-built-error.js'

/** The configuration cannot be used. */
export const exitConfiguration = 2
/** Anything else went wrong. */
export const exitFailure = 1

/** What its user can put right; the message says how. */
export class CommandError extends Error {
  constructor (readonly code: string, message: string) {
    super(message)
    this.name = 'CommandError'
  }
}

/** Their messages say what to do; a stack trace would say nothing more. */
const ownErrors = [
  ClientNotBuiltError, CommandError, KafkaClientError, KafkaSettingsError, KafkaUnreachableError, RedisUnreachableError,
  TopicReadError,
]

/** What the address to listen on is set with, for messages. */
export interface ListenSettings {
  port: string
  host: string
}

const gatewaySettings: ListenSettings = { port: 'PORT or --port', host: 'HOST' }

/** Ends the process with an error that tells its user what to do, and no stack trace unless the fault is ours. */
export function fail (error: unknown, settings?: ListenSettings): never {
  const { text, exitCode } = describeFailure(error, settings)
  process.stderr.write(`${text}\n`)
  process.exit(exitCode)
}

/** The errors of a configuration that cannot be used: that of the environment, of the tenants file, or both. */
export function configurationErrors (error: unknown): (ConfigError | TenantsFileError)[] {
  const errors: unknown[] = error instanceof AggregateError ? error.errors : [error]
  return errors.filter(one => one instanceof ConfigError || one instanceof TenantsFileError)
}

export function describeFailure (
  error: unknown, settings: ListenSettings = gatewaySettings
): { text: string, exitCode: number } {
  const refused = configurationErrors(error)
  if (refused.length > 0) {
    const count = refused.reduce((sum, { problems }) => sum + problems.length, 0)
    const text = [
      `${count === 1 ? 'A problem' : `${count} problems`} in the configuration:`,
      ...refused.flatMap(({ message }) => message.split('\n')).map(line => `  ${line}`),
      'Every variable is described in docs/configuration.md; to try a configuration: mics config check --help',
    ].join('\n')
    return { text, exitCode: exitConfiguration }
  }
  if (error instanceof Error && ownErrors.some(type => error instanceof type)) {
    return { text: error.message, exitCode: exitFailure }
  }
  const listening = listenProblem(error, settings)
  if (listening !== undefined) return { text: listening, exitCode: exitFailure }
  return { text: error instanceof Error ? error.stack ?? error.message : String(error), exitCode: exitFailure }
}

/** One line for an address that cannot be listened on, or undefined where the error is another. */
function listenProblem (error: unknown, settings: ListenSettings): string | undefined {
  if (!(error instanceof Error)) return undefined
  const { code, syscall, port, address } = error as NodeJS.ErrnoException & { port?: number, address?: string }
  if (syscall !== 'listen' && syscall !== 'getaddrinfo') return undefined
  const where = port === undefined ? 'the port' : `port ${port}`
  switch (code) {
    case 'EADDRINUSE':
      return `${where} is in use by another process; stop that one, or choose another with ${settings.port}`
    case 'EACCES':
      return `${where} may not be used by this user; set ${settings.port} to one above 1023`
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return `${settings.host} ${address ?? ''} is not an address of this machine; set ${settings.host} to one that is, or to 0.0.0.0 for all`.replace('  ', ' ')
    default:
      return undefined
  }
}
