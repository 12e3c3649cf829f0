import { hostname as osHostname } from 'node:os'
import { ConfigError, type ConfigProblem } from './config-error.js'
import { environmentVariable, environmentVariables, largestMessageBytes, takes, type EnvironmentVariable } from './environment.js'
import { problemsOf } from './environment-schema.js'
import type { GatewayConfig, TenantConfig } from './gateway-config.js'
import { kafkaProblems } from './kafka-problems.js'
import { parseTenantMap, plainTenantId, type TenantMap } from './tenant-map.js'
import { normalizeText, splitTokens } from './text-formats.js'
import { readTracing } from './tracing-config.js'
import { workerProblems } from './worker-problems.js'

export interface LoadConfigOptions {
  /** `mics dev`: no tenants are needed, the demo tenant is added later. Default: false. */
  embedded?: boolean
  /** What NODE_ID defaults to. Default: the host name. */
  hostname?: string
  /** What WORKERS=auto stands for. Default: the cores that this process may use. */
  cores?: number
}

/** Those that workers have problems of their own with, once each is right by itself. */
const workerSettings = ['WORKERS', 'NODE_ID', 'PORT', 'NODE_PORT', 'PUBLIC_ENDPOINT', 'REDIS__CONNECTION', 'REDIS_URL']

/**
 * The gateway's configuration from environment variables: the only reader of them. An empty variable counts as not set.
 * The tenants file is only named here; tenants-file.ts reads it.
 * @throws {ConfigError} with every problem at once.
 */
export function loadConfig (
  env: NodeJS.ProcessEnv, { embedded = false, hostname = osHostname(), cores }: LoadConfigOptions = {}
): GatewayConfig {
  const parsed = parse(env)
  const { values, malformed } = parsed
  const problems = [...malformed, ...problemsOf(values)]
  const bad = new Set(problems.map(({ variable }) => variable))
  problems.push(...aliasProblems(values, bad), ...clusterProblems(values, bad), ...kafkaProblems(values, bad))
  problems.push(...tenantProblems(parsed, bad, embedded))
  const { tracing, problems: tracingProblems } = readTracing(env)
  problems.push(...tracingProblems)
  // `mics dev` has no workers.
  if (!embedded && !workerSettings.some(name => bad.has(name))) {
    problems.push(...workerProblems(configOf(values, hostname), cores))
  }
  if (problems.length > 0) {
    const tenantsFile = bad.has('TENANTS_FILE') ? '' : String(values.TENANTS_FILE ?? '')
    throw new ConfigError(inTableOrder(problems), { tenantsFile })
  }
  return { ...configOf(values, hostname), tracing }
}

/** Whether a variable has a value. */
export function isSet (env: NodeJS.ProcessEnv, name: string): boolean {
  return (env[name] ?? '').trim() !== ''
}

interface ParsedEnvironment {
  /** The variables that are set: each as its type where it reads so, else as its text for the schema to refuse. */
  values: Record<string, unknown>
  malformed: ConfigProblem[]
  /**
   * Secrets given as `tenant=secret`. Somebody may have set the secret alone, and if it ends in `=`, as base64 does,
   * it reads like a tenant: no message may name the tenants of these.
   */
  lists: Set<string>
}

function parse (env: NodeJS.ProcessEnv): ParsedEnvironment {
  const values: Record<string, unknown> = {}
  const lists = new Set<string>()
  const malformed: ConfigProblem[] = []
  for (const variable of environmentVariables) {
    if (!isSet(env, variable.name)) continue
    const text = env[variable.name] ?? ''
    if (variable.type === 'tenant-map') {
      const parsed = parseTenantMap(text.trim())
      if ('problem' in parsed) {
        malformed.push({ variable: variable.name, message: `${variable.name}: ${parsed.problem}; it takes ${takes(variable)}` })
      } else {
        values[variable.name] = variable.values === 'integer' ? withNumbers(parsed.map) : parsed.map
        if (variable.secret && parsed.list) lists.add(variable.name)
      }
    } else {
      values[variable.name] = parseScalar(variable, text)
    }
  }
  return { values, malformed, lists }
}

function parseScalar (variable: EnvironmentVariable, text: string): unknown {
  const trimmed = text.trim()
  switch (variable.type) {
    case 'integer': return parseInteger(trimmed)
    case 'boolean': return { true: true, 1: true, false: false, 0: false }[trimmed.toLowerCase()] ?? text
    case 'choice': return variable.choices.find(choice => choice.toLowerCase() === trimmed.toLowerCase()) ?? trimmed
    case 'tenant-map': return text
    // These are taken to the letter: a stray newline is for their check to name, not for us to guess away.
    case 'text': return variable.format === 'tokens' || variable.format === 'credential' ? text : trimmed
  }
}

/** The number where the text is one in plain decimals, else the text: neither 1e3 nor 0x10 is meant by anyone. */
function parseInteger (text: unknown): unknown {
  return typeof text === 'string' && /^[+-]?\d+$/.test(text) ? Number(text) : text
}

function withNumbers (map: TenantMap): TenantMap {
  for (const tenantId of Object.keys(map)) map[tenantId] = parseInteger(map[tenantId])
  return map
}

/** Two names of one setting must agree. */
function aliasProblems (values: Record<string, unknown>, bad: Set<string>): ConfigProblem[] {
  const problems: ConfigProblem[] = []
  const first = new Map<string, EnvironmentVariable>()
  for (const variable of environmentVariables) {
    if (variable.type !== 'text' || values[variable.name] === undefined || bad.has(variable.name)) continue
    const other = first.get(variable.field)
    if (other === undefined) {
      first.set(variable.field, variable)
    } else if (scalarOf(variable, values) !== scalarOf(other, values)) {
      problems.push({
        variable: other.name,
        message: `${other.name}: ${variable.name} has a different value, and they are two names of one setting; set only one of them`,
      })
    }
  }
  return problems
}

/** Nodes that share a Redis forward to each other, and without the token none of them would be answered. */
function clusterProblems (values: Record<string, unknown>, bad: Set<string>): ConfigProblem[] {
  const redis = ['REDIS__CONNECTION', 'REDIS_URL'].find(name => values[name] !== undefined)
  const token = 'CLUSTER_GRPC_TOKEN'
  if (redis === undefined || values[token] !== undefined || bad.has(token)) return []
  const message = `${token}: is not set, and ${redis} makes this a node of a cluster; set it to one long random secret on all nodes`
  return [{ variable: token, message }]
}

function tenantProblems (
  { values, lists }: ParsedEnvironment, bad: Set<string>, embedded: boolean
): ConfigProblem[] {
  const maps = environmentVariables.filter(({ type }) => type === 'tenant-map').map(({ name }) => name)
  const isGiven = (name: string): boolean => values[name] !== undefined || bad.has(name)

  if (isGiven('TENANTS_FILE')) {
    return maps.filter(isGiven).map(variable => ({
      variable,
      message: `${variable}: TENANTS_FILE is set too; put all tenants in the file and unset ${variable}, or unset TENANTS_FILE`,
    }))
  }
  const problems: ConfigProblem[] = []
  if (!embedded && !isGiven('TENANT_AUTH_MAP')) {
    problems.push({
      variable: 'TENANT_AUTH_MAP',
      message: 'TENANT_AUTH_MAP: no tenants are configured; set it to a JSON object of tenants and the base URLs of their /auth hooks, ' +
        'such as TENANT_AUTH_MAP=\'{"acme":"http://hooks.acme.example:8081"}\', or set TENANTS_FILE to the path of a tenants file',
    })
  }
  // What is wrong with the map itself would be told twice, as a tenant missing from it.
  if (bad.has('TENANT_AUTH_MAP') || (!embedded && !isGiven('TENANT_AUTH_MAP'))) return problems
  const tenants = mapOf(values, 'TENANT_AUTH_MAP')
  if (!embedded && Object.keys(tenants).length === 0) {
    problems.push({
      variable: 'TENANT_AUTH_MAP',
      message: `TENANT_AUTH_MAP: names no tenant; it takes ${takes(environmentVariable('TENANT_AUTH_MAP'))}`,
    })
    return problems
  }
  for (const variable of maps) {
    for (const tenantId of Object.keys(mapOf(values, variable))) {
      if (Object.hasOwn(tenants, tenantId) || bad.has(variable)) continue
      // A list, or a JSON object written the wrong way round, may have a secret where the id belongs.
      const isNamed = !lists.has(variable) && plainTenantId.test(tenantId)
      const tenant = isNamed ? `tenant ${JSON.stringify(tenantId)}` : 'one of its tenants'
      problems.push({
        variable,
        message: `${variable}: ${tenant} is not in TENANT_AUTH_MAP; add its URL there, or remove it here`,
      })
    }
  }
  return problems
}

function configOf (values: Record<string, unknown>, hostname: string): GatewayConfig {
  const config: Record<string, unknown> = {}
  for (const variable of environmentVariables) {
    // The second name of a setting must not undo the first.
    if (values[variable.name] !== undefined || config[variable.field] === undefined) {
      config[variable.field] = scalarOf(variable, values)
    }
  }
  config.tenants = tenantsOf(values)
  config.nodeId ||= hostname || 'mics'
  config.maxMessageBytes ||= largestMessageBytes
  config.hookBreakerOpenMs ||= 1
  return config as unknown as GatewayConfig
}

function scalarOf (variable: EnvironmentVariable, values: Record<string, unknown>): unknown {
  if (variable.type === 'tenant-map') return undefined
  const value = values[variable.name]
  if (variable.type === 'text' && variable.format === 'tokens') return splitTokens(String(value ?? variable.default))
  if (variable.type === 'text' && typeof value === 'string') return normalizeText(variable.format, value)
  return value ?? variable.default
}

function tenantsOf (values: Record<string, unknown>): TenantConfig[] {
  const secrets = mapOf(values, 'TENANT_HOOK_SECRETS')
  const concurrencies = mapOf(values, 'TENANT_HOOK_MAX_CONCURRENCY')
  return Object.entries(mapOf(values, 'TENANT_AUTH_MAP')).map(([id, authUrl]) => {
    const tenant: TenantConfig = { id, authUrl: String(authUrl), secret: String(secrets[id] ?? '') }
    const hookMaxConcurrency = concurrencies[id]
    if (typeof hookMaxConcurrency === 'number') tenant.hookMaxConcurrency = hookMaxConcurrency
    return tenant
  })
}

function mapOf (values: Record<string, unknown>, name: string): TenantMap {
  return (values[name] ?? {}) as TenantMap
}

function inTableOrder (problems: ConfigProblem[]): ConfigProblem[] {
  const position = new Map(environmentVariables.map(({ name }, index) => [name, index]))
  const positionOf = ({ variable }: ConfigProblem): number => position.get(variable) ?? position.size
  return problems.toSorted((one, other) => positionOf(one) - positionOf(other))
}
