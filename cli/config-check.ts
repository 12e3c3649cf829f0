import { Command } from 'commander'
import { ConfigError } from '../lib/config/config-error.js'
import type { GatewayConfig, TenantConfig } from '../lib/config/gateway-config.js'
import { loadConfig } from '../lib/config/load-config.js'
import { suspiciousVariables } from '../lib/config/suspicious-variables.js'
import { readTenantsFile, TenantsFileError } from '../lib/tenants/tenants-file.js'
import { effectiveTenants, effectiveVariables, unsignableTenants, type EffectiveTenant, type EffectiveVariable } from './effective-config.js'
import { fail } from './failure.js'

interface CheckOptions {
  embedded?: boolean
  json?: boolean
}

export function configCommand (): Command {
  return new Command('config')
    .description('look at the configuration')
    .addCommand(checkCommand())
    .addHelpText('after', `
Examples:
  $ mics config check
  $ mics config check --json`)
}

function checkCommand (): Command {
  return new Command('check')
    .description('print the effective configuration with secrets masked, or every problem at once')
    .option('--embedded', 'as for `mics dev`, which needs no tenants')
    .option('--json', 'print JSON')
    .addHelpText('after', `
The tenants file is read too. Nothing is connected to and nothing is listened on.

Exit codes: 0 where the configuration can be used, 2 where it cannot.

Examples:
  $ TENANT_AUTH_MAP='{"acme":"http://hooks.acme.example:8081"}' mics config check
  $ TENANTS_FILE=/etc/mics/tenants.yaml mics config check --json`)
    .action(async (options: CheckOptions) => {
      try {
        await check(process.env, options)
      } catch (error) {
        if (options.json && (error instanceof ConfigError || error instanceof TenantsFileError)) {
          process.stdout.write(`${JSON.stringify({ ok: false, problems: problemLines(error) }, null, 2)}\n`)
        }
        fail(error)
      }
    })
}

async function check (env: NodeJS.ProcessEnv, { embedded, json }: CheckOptions): Promise<void> {
  const config = await loadAll(env, { embedded })
  const variables = effectiveVariables(env, config)
  const tenants = effectiveTenants(config, config.tenants)
  const warnings = [...suspiciousVariables(env), ...unsignableTenants(config, config.tenants)]
  if (json) {
    process.stdout.write(`${JSON.stringify({ ok: true, variables, tenants, warnings }, null, 2)}\n`)
    return
  }
  process.stdout.write(`${variableTable(variables)}\n\n${tenantTable(tenants, embedded)}\n`)
  for (const warning of warnings) process.stderr.write(`warning: ${warning}\n`)
}

/** The configuration with the file's tenants in it. */
async function loadAll (env: NodeJS.ProcessEnv, { embedded }: CheckOptions): Promise<GatewayConfig> {
  const config = loadConfig(env, { embedded })
  const fromFile: TenantConfig[] = config.tenantsFile === '' ? [] : await readTenantsFile(config.tenantsFile)
  return { ...config, tenants: [...config.tenants, ...fromFile] }
}

function problemLines (error: ConfigError | TenantsFileError): { variable: string, message: string }[] {
  if (error instanceof ConfigError) return error.problems
  return error.problems.map(problem => ({ variable: 'TENANTS_FILE', message: `${error.path}: ${problem}` }))
}

function variableTable (variables: EffectiveVariable[]): string {
  const rows = variables.map(({ name, value, source }) => [name, value === '' ? '-' : String(value), `(${source})`])
  return align(rows)
}

function tenantTable (tenants: EffectiveTenant[], embedded: boolean | undefined): string {
  if (tenants.length === 0) return embedded ? 'Tenants: the demo tenant only' : 'Tenants: none; the file lists none yet'
  const rows = tenants.map(({ id, authUrl, secret, hookMaxConcurrency }) =>
    [`  ${id}`, authUrl, `secret: ${secret}`, `hook concurrency: ${hookMaxConcurrency}`])
  return `Tenants: ${tenants.length}\n${align(rows)}`
}

/** Columns two spaces apart, each as wide as its widest cell. */
function align (rows: string[][]): string {
  const widest = (column: number): number => rows.reduce((width, row) => Math.max(width, row[column]?.length ?? 0), 0)
  const widths = (rows[0] ?? []).map((_, column) => widest(column))
  return rows
    .map(row => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ').trimEnd())
    .join('\n')
}
