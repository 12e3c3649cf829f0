import { environmentVariables, type EnvironmentVariable } from '../lib/config/environment.js'
import type { GatewayConfig, TenantConfig } from '../lib/config/gateway-config.js'
import { isSet } from '../lib/config/load-config.js'

const mask = '****'

export interface EffectiveVariable {
  name: string
  value: string | number | boolean
  source: 'default' | 'environment'
}

export interface EffectiveTenant {
  id: string
  authUrl: string
  secret: 'set' | 'none'
  hookMaxConcurrency: number
}

/** The configuration by variable, secrets masked. Of two names of one setting, the one in use. */
export function effectiveVariables (env: NodeJS.ProcessEnv, config: GatewayConfig): EffectiveVariable[] {
  return environmentVariables
    .filter(variable => isSet(env, variable.name) || !hasOtherName(env, variable))
    .map(variable => {
      const source = isSet(env, variable.name) ? 'environment' : 'default'
      return { name: variable.name, value: shown(variable, config, source), source }
    })
}

export function effectiveTenants (config: GatewayConfig, tenants: TenantConfig[]): EffectiveTenant[] {
  return tenants.map(({ id, authUrl, secret, hookMaxConcurrency, defaults }) => ({
    id,
    authUrl,
    secret: secret === '' ? 'none' : 'set',
    hookMaxConcurrency: defaults?.hookMaxConcurrency ?? hookMaxConcurrency ?? config.hookMaxConcurrency,
  }))
}

/** Tenants whose clients could never sign in: their hooks must be signed and there is nothing to sign with. */
export function unsignableTenants (config: GatewayConfig, tenants: TenantConfig[]): string[] {
  return tenants
    .filter(({ secret, defaults }) => secret === '' && (defaults?.hookSignRequired ?? config.hookSignRequired))
    .map(({ id }) => `tenant ${id} has no secret but its hooks must be signed: none of its clients can connect; set its secret`)
}

/** A URL without what only its owner may see: password, and query, which may hold one. */
export function maskUrl (text: string): string {
  if (!URL.canParse(text)) return mask
  const url = new URL(text)
  if (url.password !== '') url.password = mask
  if (url.search !== '') url.search = mask
  return url.href
}

/** Whether the setting is given, or by default shown, under another name. */
function hasOtherName (env: NodeJS.ProcessEnv, variable: EnvironmentVariable): boolean {
  if (variable.type !== 'text') return false
  const others = environmentVariables.filter(({ name, field }) => field === variable.field && name !== variable.name)
  return others.some(({ name }) => isSet(env, name) || environmentVariables.indexOf(variable) > indexOf(name))
}

function indexOf (name: string): number {
  return environmentVariables.findIndex(variable => variable.name === name)
}

function shown (variable: EnvironmentVariable, config: GatewayConfig, source: string): string | number | boolean {
  if (variable.type === 'tenant-map') {
    if (source === 'default') return ''
    return variable.secret ? mask : 'see the tenants below'
  }
  const value = config[variable.field]
  if (!variable.secret || value === '') return value
  return variable.type === 'text' && variable.format === 'redis' ? maskUrl(String(value)) : mask
}
