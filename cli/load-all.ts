import { ConfigError } from '../lib/config/config-error.js'
import type { GatewayConfig } from '../lib/config/gateway-config.js'
import { loadConfig, type LoadConfigOptions } from '../lib/config/load-config.js'
import { readTenantsFile, TenantsFileError } from '../lib/tenants/tenants-file.js'

/**
 * The configuration with the file's tenants in it.
 * @throws {ConfigError | TenantsFileError | AggregateError} with every problem of both at once.
 */
export async function loadAll (env: NodeJS.ProcessEnv, options: LoadConfigOptions): Promise<GatewayConfig> {
  let config: GatewayConfig
  try {
    config = loadConfig(env, options)
  } catch (error) {
    throw await withFileProblems(error)
  }
  if (config.tenantsFile === '') return config
  return { ...config, tenants: [...config.tenants, ...await readTenantsFile(config.tenantsFile)] }
}

/** The error of a refused environment together with that of the tenants file it names, where that is refused too. */
export async function withFileProblems (error: unknown): Promise<unknown> {
  if (!(error instanceof ConfigError) || error.tenantsFile === '') return error
  try {
    await readTenantsFile(error.tenantsFile)
    return error
  } catch (fileError) {
    if (!(fileError instanceof TenantsFileError)) throw fileError
    return new AggregateError([error, fileError], 'neither the environment nor the tenants file can be used')
  }
}
