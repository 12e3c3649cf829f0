import fp from 'fastify-plugin'
import type { AppOptions } from '../lib/config/app-options.js'
import type { TenantConfig } from '../lib/config/gateway-config.js'
import { loadTenantsFile, noTenantsWarning, TenantsFileError } from '../lib/tenants/tenants-file.js'
import { Tenants } from '../lib/tenants/tenants.js'
import { watchTenantsFile } from '../lib/tenants/watch-tenants-file.js'

declare module 'fastify' {
  interface FastifyInstance {
    tenants: Tenants
  }
}

/** The tenants in force: from the environment, or from the tenants file, followed as it changes. */
export default fp<AppOptions>(async (app, { tenantsFileIntervalMs }) => {
  const { tenantsFile, tenants: given } = app.config
  const tenants = new Tenants(app.config, given)
  app.decorate('tenants', tenants)
  if (tenantsFile === '') return

  const file = await loadTenantsFile(tenantsFile)
  tenants.replaceAll(together(given, file.tenants))
  if (tenants.size === 0) app.log.warn(noTenantsWarning)

  const watcher = watchTenantsFile(tenantsFile, {
    intervalMs: tenantsFileIntervalMs,
    contentHash: file.contentHash,
    onChange (configs) {
      const { added, changed, removed } = tenants.replaceAll(together(given, configs))
      app.gatewayMetrics.tenantsFileReloads.add('applied')
      app.log.info({ added: added.length, changed: changed.length, removed: removed.length }, 'tenants file applied')
      if (tenants.size === 0) app.log.warn(noTenantsWarning)
    },
    onError (error) {
      if (!(error instanceof TenantsFileError)) {
        app.log.error({ err: error }, 'following the tenants file failed')
        return
      }
      app.gatewayMetrics.tenantsFileReloads.add('refused')
      app.log.error({ err: error }, 'tenants file refused, the previous tenants stay in force')
    },
  })
  app.addHook('onClose', async () => watcher.close())
}, { name: 'tenants', dependencies: ['config', 'metrics'] })

/** In embedded mode the demo tenant is given beside the file; where both name one tenant, the file is meant. */
function together (given: TenantConfig[], fromFile: TenantConfig[]): TenantConfig[] {
  const ids = new Set(fromFile.map(({ id }) => id))
  return [...given.filter(({ id }) => !ids.has(id)), ...fromFile]
}
