import { Command } from 'commander'
import { ConfigError } from '../lib/config/config-error.js'
import { suspiciousVariables } from '../lib/config/suspicious-variables.js'
import type { TenantsFileError } from '../lib/tenants/tenants-file.js'
import {
  effectiveTenants, effectiveTracing, effectiveVariables, tenantWarnings,
  type EffectiveTenant, type EffectiveTracing, type EffectiveVariable,
} from './effective-config.js'
import { configurationErrors, fail } from './failure.js'
import { loadAll } from './load-all.js'

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
        const problems = configurationErrors(error).flatMap(problemLines)
        if (options.json && problems.length > 0) {
          printJson({ ok: false, problems, warnings: suspiciousVariables(process.env) })
        }
        fail(error)
      }
    })
}

async function check (env: NodeJS.ProcessEnv, { embedded, json }: CheckOptions): Promise<void> {
  const suspicious = suspiciousVariables(env)
  // Before anything can fail: a misspelled name may be why a variable is missing.
  if (!json) warn(suspicious)
  const config = await loadAll(env, { embedded })
  const variables = effectiveVariables(env, config)
  const tenants = effectiveTenants(config, config.tenants)
  const tracing = effectiveTracing(config)
  const warnings = tenantWarnings(config, { embedded })
  if (json) {
    printJson({ ok: true, variables, tracing, tenants, warnings: [...suspicious, ...warnings] })
    return
  }
  process.stdout.write(`${variableTable(variables)}\n\n${tracingLine(tracing)}\n\n${tenantTable(tenants, embedded)}\n`)
  warn(warnings)
}

function printJson (value: object): void {
  process.stdout.write(`${JSON.stringify(value, null, 2)}\n`)
}

function warn (warnings: string[]): void {
  for (const warning of warnings) process.stderr.write(`warning: ${warning}\n`)
}

function problemLines (error: ConfigError | TenantsFileError): { variable: string, message: string }[] {
  if (error instanceof ConfigError) return error.problems
  return error.problems.map(problem => ({ variable: 'TENANTS_FILE', message: `${error.path}: ${problem}` }))
}

function variableTable (variables: EffectiveVariable[]): string {
  const rows = variables.map(({ name, value, source }) => [name, value === '' ? '-' : String(value), `(${source})`])
  return align(rows).join('\n')
}

function tracingLine (tracing: EffectiveTracing | null): string {
  if (tracing === null) return 'Tracing: off'
  const { to, serviceName, sampler, ratio } = tracing
  return `Tracing: to ${to} as ${serviceName}, sampler ${sampler}${sampler.endsWith('ratio') ? ` ${ratio}` : ''}`
}

/** A line a tenant, and under it what it has of its own. */
function tenantTable (tenants: EffectiveTenant[], embedded: boolean | undefined): string {
  if (tenants.length === 0) return embedded ? 'Tenants: the demo tenant only' : 'Tenants: none; the file lists none yet'
  const lines = align(tenants.map(({ id, authUrl, secret, settings }) =>
    [`  ${id}`, authUrl, `secret: ${secret}`, `hook concurrency: ${settings.hookMaxConcurrency}`]))
  const table = tenants.flatMap(({ own: { hookMaxConcurrency, ...own }, caps }, index) =>
    [lines[index], ...list('settings', own), ...list('caps', caps)])
  return [`Tenants: ${tenants.length}`, ...table].join('\n')
}

function list (title: string, settings: object): string[] {
  const entries = Object.entries(settings).map(([name, value]) => `${name} ${value}`)
  return entries.length === 0 ? [] : [`    ${title}: ${entries.join(', ')}`]
}

/** Columns two spaces apart, each as wide as its widest cell. */
function align (rows: string[][]): string[] {
  const widest = (column: number): number => rows.reduce((width, row) => Math.max(width, row[column]?.length ?? 0), 0)
  const widths = (rows[0] ?? []).map((_, column) => widest(column))
  return rows
    .map(row => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ').trimEnd())
}
