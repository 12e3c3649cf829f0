import { loadConfig } from '../lib/config/load-config.js'
import { suspiciousVariables } from '../lib/config/suspicious-variables.js'
import { fail } from './failure.js'
import { withFileProblems } from './load-all.js'

/** Starts the gateway, or ends the process with what is in the way. Resolves once it listens. */
export async function runServer (
  env: NodeJS.ProcessEnv, { embedded }: { embedded: boolean }
): Promise<{ url: string, closed: Promise<void> }> {
  // Before anything can fail: a misspelled name may be why a variable is missing.
  for (const warning of suspiciousVariables(env)) process.stderr.write(`warning: ${warning}\n`)
  try {
    const config = loadConfig(env, { embedded })
    // Loaded here, so that help and configuration errors need not wait for all of the gateway.
    const { startServer } = await import('../server.js')
    return await startServer({ config, embedded })
  } catch (error) {
    return fail(await withFileProblems(error))
  }
}
