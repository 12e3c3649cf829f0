import type { TenantRuntimeConfig } from '../gen/mics/hook/v1/hook_pb.js'
import type { CappedSetting, GatewayConfig, TenantConfig, TenantSettings } from '../config/gateway-config.js'
import { checkHookUrl } from './hook-url.js'

/** What of the gateway's configuration holds for tenants that set nothing themselves. */
export type HookDefaults = Pick<GatewayConfig,
  'hookSignRequired' | 'hookMaxConcurrency' | 'hookQueueTimeoutMs' | 'hookBreakerFailureThreshold' | 'hookBreakerOpenMs'>

/** The most messages a check hook is asked about at once, and the most milliseconds one waits for others. */
export const MAX_CHECK_BATCH_MESSAGES = 256
export const MAX_CHECK_BATCH_WAIT_MS = 50

/** Settings for which 0 means no limit, so that a cap turns 0 into the cap. */
const limits = new Set<CappedSetting>(['tenantMaxConnections', 'userMaxConnections', 'tenantMaxMessageQps'])

/** The tenant's auth hook answered with settings that cannot hold. */
export class InvalidRuntimeConfigError extends Error {
  readonly code = 'MICS_RUNTIME_CONFIG_INVALID'

  /** @param field the name in hook.proto, which is what the hook's author knows. */
  constructor (readonly field: string, problem: string) {
    super(`TenantRuntimeConfig.${field} ${problem}`)
    this.name = 'InvalidRuntimeConfigError'
  }
}

/** One tenant as configured, and what its settings come to once its auth hook has spoken. Never changes. */
export class Tenant {
  readonly id: string
  /** Base URL of the /auth hook. */
  readonly authUrl: string
  /** Signs /auth. Empty: unsigned. */
  readonly secret: string
  readonly config: Readonly<TenantConfig>
  readonly #fallback: TenantSettings
  readonly #silent: TenantSettings
  readonly #settings = new WeakMap<TenantRuntimeConfig, TenantSettings>()

  constructor (config: TenantConfig, gateway: HookDefaults) {
    this.id = config.id
    this.authUrl = config.authUrl
    this.secret = config.secret
    this.config = config
    this.#fallback = fallbackOf(config, gateway)
    this.#silent = Object.freeze(capped({ ...this.#fallback }, config.caps))
  }

  /**
   * What holds for a connection: the auth hook's settings, else the tenant's, else the gateway's, within the tenant's
   * caps. The same runtime object gives the same settings object, so asking for every message is cheap.
   * @throws {InvalidRuntimeConfigError} naming the first field that cannot hold.
   */
  settingsFor (runtime: TenantRuntimeConfig | undefined): TenantSettings {
    if (runtime === undefined) return this.#silent
    const known = this.#settings.get(runtime)
    if (known !== undefined) return known
    const settings = Object.freeze(capped(merge(runtime, this.#fallback), this.config.caps))
    this.#settings.set(runtime, settings)
    return settings
  }
}

function fallbackOf (config: TenantConfig, gateway: HookDefaults): TenantSettings {
  return {
    heartbeatTimeoutSeconds: 30,
    offlineBufferTtlSeconds: 300,
    tenantMaxConnections: 0,
    userMaxConnections: 0,
    tenantMaxMessageQps: 0,
    hookMaxConcurrency: config.hookMaxConcurrency ?? gateway.hookMaxConcurrency,
    hookQueueTimeoutMs: gateway.hookQueueTimeoutMs,
    hookBreakerFailureThreshold: gateway.hookBreakerFailureThreshold,
    hookBreakerOpenMs: gateway.hookBreakerOpenMs,
    hookSignRequired: gateway.hookSignRequired,
    offlineUseHookPull: false,
    checkMessageFailClosed: false,
    checkMessageDisabled: false,
    syncSenderDevices: true,
    checkBatchMaxMessages: 0,
    checkBatchMaxWaitMs: 0,
    ...config.defaults,
    hookBaseUrl: config.defaults?.hookBaseUrl || config.authUrl,
    tenantSecret: config.defaults?.tenantSecret || config.secret,
  }
}

function merge (runtime: TenantRuntimeConfig, fallback: TenantSettings): TenantSettings {
  return {
    hookBaseUrl: hookBaseUrl(runtime) || fallback.hookBaseUrl,
    tenantSecret: runtime.tenantSecret || fallback.tenantSecret,
    heartbeatTimeoutSeconds:
      amount('heartbeat_timeout_seconds', runtime.heartbeatTimeoutSeconds) || fallback.heartbeatTimeoutSeconds,
    offlineBufferTtlSeconds:
      amount('offline_buffer_ttl_seconds', runtime.offlineBufferTtlSeconds) || fallback.offlineBufferTtlSeconds,
    tenantMaxConnections: amount('tenant_max_connections', runtime.tenantMaxConnections) || fallback.tenantMaxConnections,
    userMaxConnections: amount('user_max_connections', runtime.userMaxConnections) || fallback.userMaxConnections,
    tenantMaxMessageQps: amount('tenant_max_message_qps', runtime.tenantMaxMessageQps) || fallback.tenantMaxMessageQps,
    // No call at all, and a breaker that opens without a failure, are nothing a tenant can want: 0 is the default here,
    // while a queue timeout of 0 means not to wait.
    hookMaxConcurrency: amount('hook_max_concurrency', runtime.hookMaxConcurrency) || fallback.hookMaxConcurrency,
    hookBreakerFailureThreshold:
      amount('hook_breaker_failure_threshold', runtime.hookBreakerFailureThreshold) || fallback.hookBreakerFailureThreshold,
    hookQueueTimeoutMs: amount('hook_queue_timeout_ms', runtime.hookQueueTimeoutMs) ?? fallback.hookQueueTimeoutMs,
    hookBreakerOpenMs: atLeastOne(amount('hook_breaker_open_ms', runtime.hookBreakerOpenMs)) ?? fallback.hookBreakerOpenMs,
    hookSignRequired: runtime.hookSignRequired ?? fallback.hookSignRequired,
    offlineUseHookPull: runtime.offlineUseHookPull ?? fallback.offlineUseHookPull,
    checkMessageFailClosed: runtime.checkMessageFailClosed ?? fallback.checkMessageFailClosed,
    checkMessageDisabled: runtime.checkMessageDisabled ?? fallback.checkMessageDisabled,
    syncSenderDevices: runtime.syncSenderDevices ?? fallback.syncSenderDevices,
    // 0 says one by one, and not to wait, whatever the tenant's default is.
    checkBatchMaxMessages: atMost(MAX_CHECK_BATCH_MESSAGES,
      amount('check_batch_max_messages', runtime.checkBatchMaxMessages)) ?? fallback.checkBatchMaxMessages,
    checkBatchMaxWaitMs: atMost(MAX_CHECK_BATCH_WAIT_MS,
      amount('check_batch_max_wait_ms', runtime.checkBatchMaxWaitMs)) ?? fallback.checkBatchMaxWaitMs,
  }
}

function amount<T extends number | undefined> (field: string, value: T): T {
  if (value !== undefined && value < 0) throw new InvalidRuntimeConfigError(field, `is ${value}; it takes 0 or more`)
  return value
}

function atMost (max: number, value: number | undefined): number | undefined {
  return value === undefined ? undefined : Math.min(max, value)
}

/** A breaker needs some time to be open in. */
function atLeastOne (value: number | undefined): number | undefined {
  return value === 0 ? 1 : value
}

function hookBaseUrl (runtime: TenantRuntimeConfig): string {
  const problem = runtime.hookBaseUrl === '' ? undefined : checkHookUrl(runtime.hookBaseUrl)
  if (problem !== undefined) {
    throw new InvalidRuntimeConfigError('hook_base_url', `${problem}; it takes an http or https URL, or nothing for the tenant's auth URL`)
  }
  return runtime.hookBaseUrl
}

function capped (settings: TenantSettings, caps: TenantConfig['caps']): TenantSettings {
  for (const [name, cap] of Object.entries(caps ?? {}) as [CappedSetting, number | undefined][]) {
    if (cap === undefined) continue
    const unlimited = limits.has(name) && settings[name] === 0
    settings[name] = unlimited ? cap : Math.min(settings[name], cap)
  }
  return settings
}
