import { environmentVariables, type EnvironmentVariable } from '../lib/config/environment.js'
import type { GatewayConfig, TenantConfig, TenantSettings } from '../lib/config/gateway-config.js'
import { isSet } from '../lib/config/load-config.js'
import { tracingTarget, type TracingConfig } from '../lib/config/tracing-config.js'
import { maskRedisUrl } from '../lib/redis/redis-url.js'
import { Tenant } from '../lib/tenants/tenant.js'
import { noTenantsWarning } from '../lib/tenants/tenants-file.js'

const mask = '****'

export interface EffectiveVariable {
  name: string
  value: string | number | boolean
  source: 'default' | 'environment'
}

export interface EffectiveTenant {
  id: string
  authUrl: string
  secret: Masked
  /** What holds where its auth hook says nothing. */
  settings: ShownSettings
  /** Those of them that are not the gateway's defaults. */
  own: Partial<ShownSettings>
  /** The most that its auth hook may ask for. */
  caps: NonNullable<TenantConfig['caps']>
}

export type EffectiveTracing = Pick<TracingConfig, 'serviceName' | 'sampler' | 'ratio'> & {
  /** Without credentials. */
  to: string
}

type Masked = 'set' | 'none'
type ShownSettings = Omit<TenantSettings, 'tenantSecret'> & { tenantSecret: Masked }

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
  return tenants.map(tenant => {
    const { id, authUrl, secret, caps = {} } = tenant
    const settings = new Tenant(tenant, config).settingsFor(undefined)
    const byDefault = new Tenant({ id, authUrl, secret }, config).settingsFor(undefined)
    const shown: ShownSettings = { ...settings, tenantSecret: masked(settings.tenantSecret) }
    // Compared before masking: a second secret is a difference.
    const own = Object.fromEntries(Object.entries(shown).filter(([name]) => differs(settings, byDefault, name)))
    return { id, authUrl, secret: masked(secret), settings: shown, own, caps }
  })
}

/** Whether messages are traced, and where to; null: they are not. */
export function effectiveTracing ({ tracing }: GatewayConfig): EffectiveTracing | null {
  if (tracing === undefined) return null
  const { serviceName, sampler, ratio } = tracing
  return { to: tracingTarget(tracing), serviceName, sampler, ratio }
}

/** What can be used, yet can hardly be meant. */
export function tenantWarnings (config: GatewayConfig, { embedded = false } = {}): string[] {
  const { tenants, tenantsFile } = config
  // In embedded mode there is the demo tenant.
  const none = tenantsFile !== '' && tenants.length === 0 && !embedded ? [noTenantsWarning] : []
  return [...none, ...unsignableTenants(config, tenants), ...tenants.flatMap(aboveCaps)]
}

/** What a tenant sets for itself beyond its own cap: the cap holds. */
function aboveCaps ({ id, hookMaxConcurrency, defaults = {}, caps = {} }: TenantConfig): string[] {
  return Object.entries(caps).flatMap(([name, cap]) => {
    const given: [string, unknown][] = [[`defaults.${name}`, defaults[name as keyof TenantSettings]]]
    if (name === 'hookMaxConcurrency') given.push([name, hookMaxConcurrency])
    return given
      .filter(([, value]) => typeof value === 'number' && value > cap)
      .map(([path, value]) => `tenants.${id}.${path}: ${value} is above its cap of ${cap}`)
  })
}

/** Tenants whose clients could never sign in: their hooks must be signed and there is nothing to sign with. */
function unsignableTenants (config: GatewayConfig, tenants: TenantConfig[]): string[] {
  return tenants
    .filter(({ secret, defaults }) => secret === '' && (defaults?.hookSignRequired ?? config.hookSignRequired))
    .map(({ id }) => `tenant ${id} has no secret but its hooks must be signed: none of its clients can connect; set its secret`)
}

function masked (secret: string): Masked {
  return secret === '' ? 'none' : 'set'
}

function differs (one: TenantSettings, other: TenantSettings, name: string): boolean {
  return one[name as keyof TenantSettings] !== other[name as keyof TenantSettings]
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
  // How many there are, and so how far a rotation has come, is no secret.
  if (typeof value === 'object') return value.map(() => mask).join(',')
  if (!variable.secret || value === '') return value
  return variable.type === 'text' && variable.format === 'redis' ? maskRedisUrl(String(value)) : mask
}
