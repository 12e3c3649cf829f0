import { loadConfig } from '../lib/config/load-config.js'
import { suspiciousVariables } from '../lib/config/suspicious-variables.js'
import { fail } from './failure.js'

/** Starts the gateway, or ends the process with what is in the way. Resolves once it listens. */
export async function runServer (
  env: NodeJS.ProcessEnv, { embedded }: { embedded: boolean }
): Promise<{ url: string, closed: Promise<void> }> {
  try {
    const config = loadConfig(env, { embedded })
    for (const warning of suspiciousVariables(env)) process.stderr.write(`warning: ${warning}\n`)
    // Loaded here, so that help and configuration errors need not wait for all of the gateway.
    const { startServer } = await import('../server.js')
    return await startServer({ config, embedded })
  } catch (error) {
    return fail(error)
  }
}
