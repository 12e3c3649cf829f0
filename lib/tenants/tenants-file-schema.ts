import { Ajv, type ErrorObject } from 'ajv'
import { closest } from '../config/edit-distance.js'
import { environmentVariable } from '../config/environment.js'
import type { CappedSetting, TenantConfig, TenantSettings } from '../config/gateway-config.js'
import { checkHookUrl } from './hook-url.js'
import { MAX_CHECK_BATCH_MESSAGES, MAX_CHECK_BATCH_WAIT_MS } from './tenant.js'
import { tenantIdPattern, tenantIdTakes } from './tenant-id.js'

/** What a valid file holds. */
export interface TenantsFileContent {
  tenants: Record<string, Omit<TenantConfig, 'id' | 'secret'> & { secret?: string }>
}

const int32Max = 2_147_483_647
const heartbeat = integer(1, 86_400)
const offlineTtl = integer(1, 604_800)
const hookMaxConcurrency = rangeOf('HOOK_MAX_CONCURRENCY')
const hookQueueTimeout = rangeOf('HOOK_QUEUE_TIMEOUT_MS')
const hookBreakerOpen = integer(1, 60_000)
const limit = integer(0, int32Max)
const cap = integer(1, int32Max)
const url = { type: 'string', format: 'hook-url' }
const text = { type: 'string' }
const yesOrNo = { type: 'boolean' }

const defaults: Record<keyof TenantSettings, object> = {
  hookBaseUrl: url,
  heartbeatTimeoutSeconds: heartbeat,
  offlineBufferTtlSeconds: offlineTtl,
  tenantMaxConnections: limit,
  userMaxConnections: limit,
  tenantMaxMessageQps: limit,
  tenantSecret: text,
  hookMaxConcurrency,
  hookQueueTimeoutMs: hookQueueTimeout,
  hookBreakerFailureThreshold: rangeOf('HOOK_BREAKER_FAILURE_THRESHOLD'),
  hookBreakerOpenMs: hookBreakerOpen,
  hookSignRequired: yesOrNo,
  offlineUseHookPull: yesOrNo,
  checkMessageFailClosed: yesOrNo,
  checkMessageDisabled: yesOrNo,
  syncSenderDevices: yesOrNo,
  checkBatchMaxMessages: integer(0, MAX_CHECK_BATCH_MESSAGES),
  checkBatchMaxWaitMs: integer(0, MAX_CHECK_BATCH_WAIT_MS),
}

const caps: Record<CappedSetting, object> = {
  heartbeatTimeoutSeconds: heartbeat,
  offlineBufferTtlSeconds: offlineTtl,
  tenantMaxConnections: cap,
  userMaxConnections: cap,
  tenantMaxMessageQps: cap,
  hookMaxConcurrency,
  hookQueueTimeoutMs: hookQueueTimeout,
  hookBreakerOpenMs: hookBreakerOpen,
}

const urlTakes = 'an http or https URL such as http://hooks.acme.example:8081'

const ajv = new Ajv({ allErrors: true, verbose: true })
ajv.addFormat('hook-url', value => checkHookUrl(value) === undefined)

/** A tenant in the file, as JSON Schema. The format `hook-url` is checkHookUrl. */
export const tenantSchema: object = {
  ...only({ authUrl: url, secret: text, hookMaxConcurrency, defaults: only(defaults), caps: only(caps) }),
  required: ['authUrl'],
}

const validate = ajv.compile<TenantsFileContent>({
  ...only({
    tenants: {
      type: 'object',
      propertyNames: { pattern: tenantIdPattern },
      additionalProperties: tenantSchema,
    },
  }),
  required: ['tenants'],
})

/**
 * The content where it is valid, else every problem, one line each with its path: `tenants.acme.authUrl: is missing`.
 * No line repeats a value.
 */
export function checkTenantsFile (content: unknown): { valid: TenantsFileContent } | { problems: string[] } {
  if (content === null || content === undefined) {
    return { problems: ['is empty; it takes at least: tenants: {acme: {authUrl: "http://hooks.acme.example:8081"}}'] }
  }
  if (validate(content)) return { valid: content }
  const problems = (validate.errors ?? [])
    // ajv reports a bad property name twice: once with the rule it broke, once as a bad name. The second has it all.
    .filter(({ schemaPath }) => !schemaPath.includes('/propertyNames/'))
    .map(describe)
  return { problems: [...new Set(problems)] }
}

function describe (error: ErrorObject): string {
  const path = error.instancePath.split('/').slice(1).map(unescapePointer)
  const at = (...more: string[]): string => [...path, ...more].join('.') || 'the file'
  switch (error.keyword) {
    case 'required': return `${at(error.params.missingProperty)}: is missing`
    case 'additionalProperties': return `${at(error.params.additionalProperty)}: is not a setting here${hint(error)}`
    case 'propertyNames': return `${at(error.params.propertyName)}: is not a tenant id; it takes ${tenantIdTakes}`
    case 'format': return `${at()}: ${checkHookUrl(String(error.data))}; it takes ${urlTakes}`
    case 'type': return `${at()}: ${wrongType(error, path.join('.'))}`
    default: return `${at()}: is not allowed; it takes ${takes(error.parentSchema)}`
  }
}

function takes (schema: ErrorObject['parentSchema']): string {
  switch (schema?.type) {
    case 'integer': return `a whole number from ${schema.minimum} to ${schema.maximum}`
    case 'boolean': return 'true or false'
    case 'string': return schema.format === undefined ? 'text' : urlTakes
    default: return 'a mapping'
  }
}

function wrongType ({ data, parentSchema }: ErrorObject, path: string): string {
  if (data === null && path === 'tenants') return 'is empty; write tenants: {} for none'
  if (parentSchema?.type === 'integer' && typeof data === 'number') return `is not a whole number; it takes ${takes(parentSchema)}`
  const takesText = takes(parentSchema) === 'text'
  const remedy = takesText && ['number', 'boolean'].includes(typeof data)
    ? '; put it in quotes'
    : readsAs(parentSchema?.type, data) ? '; remove the quotes' : ''
  return `is ${kindOf(data)}; it takes ${takes(parentSchema)}${remedy}`
}

/** Whether a text would be what is asked for, were it not a text. */
function readsAs (type: string, data: unknown): boolean {
  if (typeof data !== 'string') return false
  return (type === 'integer' && /^\d+$/.test(data)) || (type === 'boolean' && /^(true|false)$/i.test(data))
}

function kindOf (data: unknown): string {
  if (data === null) return 'empty'
  if (Array.isArray(data)) return 'a list'
  switch (typeof data) {
    case 'string': return 'text'
    case 'number': return 'a number'
    case 'boolean': return 'true or false'
    default: return 'a mapping'
  }
}

function hint ({ params, parentSchema }: ErrorObject): string {
  const known = Object.keys(parentSchema?.properties ?? {})
  const meant = closest(params.additionalProperty, known)
  return meant === undefined ? `; known are ${known.join(', ')}` : `; did you mean ${meant}?`
}

/** JSON Pointer's own escapes (RFC 6901). */
function unescapePointer (part: string): string {
  return part.replaceAll('~1', '/').replaceAll('~0', '~')
}

function only (properties: Record<string, object>): object {
  return { type: 'object', properties, additionalProperties: false }
}

function integer (minimum: number, maximum: number): object {
  return { type: 'integer', minimum, maximum }
}

/** A tenant may set what the gateway may: the bounds are those of the variable. */
function rangeOf (name: string): object {
  const variable = environmentVariable(name)
  if (variable.type !== 'integer') throw new Error(`${name} is not a number: it has no range`)
  return integer(variable.min, variable.max)
}
