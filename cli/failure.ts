import { ConfigError } from '../lib/config/config-error.js'
import { TenantsFileError } from '../lib/tenants/tenants-file.js'

/** The configuration cannot be used. */
export const exitConfiguration = 2
/** Anything else went wrong. */
export const exitFailure = 1

/** Ends the process with an error that tells its user what to do, and no stack trace unless the fault is ours. */
export function fail (error: unknown): never {
  const { text, exitCode } = describeFailure(error)
  process.stderr.write(`${text}\n`)
  process.exit(exitCode)
}

export function describeFailure (error: unknown): { text: string, exitCode: number } {
  if (error instanceof ConfigError || error instanceof TenantsFileError) {
    const count = error.problems.length
    const text = [
      `${count === 1 ? 'A problem' : `${count} problems`} in the configuration:`,
      ...error.message.split('\n').map(line => `  ${line}`),
      'Every variable is described in docs/configuration.md; to try a configuration: mics config check --help',
    ].join('\n')
    return { text, exitCode: exitConfiguration }
  }
  const listening = listenProblem(error)
  if (listening !== undefined) return { text: listening, exitCode: exitFailure }
  return { text: error instanceof Error ? error.stack ?? error.message : String(error), exitCode: exitFailure }
}

/** One line for an address that cannot be listened on, or undefined where the error is another. */
function listenProblem (error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined
  const { code, syscall, port, address } = error as NodeJS.ErrnoException & { port?: number, address?: string }
  if (syscall !== 'listen' && syscall !== 'getaddrinfo') return undefined
  const where = port === undefined ? 'the port' : `port ${port}`
  switch (code) {
    case 'EADDRINUSE':
      return `${where} is in use by another process; stop that one, or choose another with PORT or --port (NODE_PORT for peers)`
    case 'EACCES':
      return `${where} may not be used by this user; set PORT or --port to one above 1023`
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return `HOST ${address ?? ''} is not an address of this machine; set HOST to one that is, or to 0.0.0.0 for all`.replace('  ', ' ')
    default:
      return undefined
  }
}
