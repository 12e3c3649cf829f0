import type { ConfigProblem } from './config-error.js'

/** Of a sampler by OpenTelemetry's names. Those that begin with `parentbased_` follow what another node has decided. */
export const SAMPLERS = [
  'always_on', 'always_off', 'traceidratio',
  'parentbased_always_on', 'parentbased_always_off', 'parentbased_traceidratio',
] as const

export type SamplerName = typeof SAMPLERS[number]

/** What is recorded of messages and where it goes, by the standard OTEL_ variables. */
export interface TracingConfig {
  exporter: 'otlp' | 'console'
  /** Where spans are POSTed to; empty with the exporter `console`. May have credentials in it. */
  url: string
  serviceName: string
  resourceAttributes: Record<string, string>
  sampler: SamplerName
  /** Of the connections, from 0 to 1; 1 where the sampler has no ratio. */
  ratio: number
  /** Spans that wait to be exported; more are dropped. */
  maxQueueSize: number
  /** Spans of one export. */
  maxBatchSize: number
  /** Milliseconds that a span may wait for others to leave with. */
  scheduleDelayMs: number
  /** Milliseconds of one export. */
  exportTimeoutMs: number
}

const DEFAULT_URL = 'http://localhost:4318/v1/traces'
const PROTOCOL = 'http/protobuf'

/**
 * Whether and how messages are traced. Off where nothing is said of it. The exporter reads the rest by itself, from the
 * process's environment: headers, timeout, compression and certificates of OTEL_EXPORTER_OTLP.
 */
export function readTracing (
  env: NodeJS.ProcessEnv
): { tracing: TracingConfig | undefined, problems: ConfigProblem[] } {
  const read = new Reader(env)
  const exporter = exporterOf(read)
  if (exporter === 'none') return { tracing: undefined, problems: read.problems }
  const sampler = read.choice('OTEL_TRACES_SAMPLER', SAMPLERS, 'parentbased_always_on')
  const tracing: TracingConfig = {
    exporter,
    url: exporter === 'otlp' ? urlOf(read) : '',
    ...resourceOf(read),
    sampler,
    ratio: sampler.endsWith('traceidratio') ? read.ratio('OTEL_TRACES_SAMPLER_ARG') : 1,
    maxQueueSize: read.positive('OTEL_BSP_MAX_QUEUE_SIZE', 2048),
    maxBatchSize: read.positive('OTEL_BSP_MAX_EXPORT_BATCH_SIZE', 512),
    scheduleDelayMs: read.positive('OTEL_BSP_SCHEDULE_DELAY', 5000),
    exportTimeoutMs: read.positive('OTEL_BSP_EXPORT_TIMEOUT', 30_000),
  }
  return { tracing, problems: read.problems }
}

/** Where spans go, without credentials or a query. */
export function tracingTarget ({ exporter, url }: TracingConfig): string {
  if (exporter === 'console') return 'the standard output'
  const { origin, pathname } = new URL(url)
  return origin + pathname
}

function exporterOf (read: Reader): 'otlp' | 'console' | 'none' {
  if (read.text('OTEL_SDK_DISABLED').toLowerCase() === 'true') return 'none'
  const hasEndpoint = read.has('OTEL_EXPORTER_OTLP_ENDPOINT') || read.has('OTEL_EXPORTER_OTLP_TRACES_ENDPOINT')
  return read.choice('OTEL_TRACES_EXPORTER', ['otlp', 'console', 'none'], hasEndpoint ? 'otlp' : 'none')
}

function urlOf (read: Reader): string {
  const protocol = read.first('OTEL_EXPORTER_OTLP_TRACES_PROTOCOL', 'OTEL_EXPORTER_OTLP_PROTOCOL')
  if (protocol !== undefined && protocol.value !== PROTOCOL) {
    read.problem(protocol.name, `is not ${PROTOCOL}, the only one that is spoken here; set it to ${PROTOCOL} and the ` +
      "endpoint to the collector's port for OTLP over HTTP, which is usually 4318, or unset it")
  }
  const own = read.url('OTEL_EXPORTER_OTLP_TRACES_ENDPOINT')
  if (own !== undefined) return own.href
  const general = read.url('OTEL_EXPORTER_OTLP_ENDPOINT')
  if (general === undefined) return DEFAULT_URL
  general.pathname = general.pathname.replace(/\/*$/, '/v1/traces')
  return general.href
}

function resourceOf (read: Reader): Pick<TracingConfig, 'serviceName' | 'resourceAttributes'> {
  const { 'service.name': name = 'mics', ...resourceAttributes } = read.pairs('OTEL_RESOURCE_ATTRIBUTES')
  return { serviceName: read.text('OTEL_SERVICE_NAME') || name, resourceAttributes }
}

/** Values of the environment by their form; collects what is wrong with them, and never repeats a value. */
class Reader {
  readonly problems: ConfigProblem[] = []

  constructor (private readonly env: NodeJS.ProcessEnv) {}

  text (name: string): string {
    return (this.env[name] ?? '').trim()
  }

  has (name: string): boolean {
    return this.text(name) !== ''
  }

  problem (variable: string, text: string): void {
    this.problems.push({ variable, message: `${variable}: ${text}` })
  }

  /** Of several names of one setting the first that is set. */
  first (...names: string[]): { name: string, value: string } | undefined {
    const name = names.find(name => this.has(name))
    return name === undefined ? undefined : { name, value: this.text(name) }
  }

  choice<T extends string> (name: string, choices: readonly T[], byDefault: T): T {
    const value = this.text(name).toLowerCase()
    if (value === '') return byDefault
    const found = choices.find(choice => choice === value)
    if (found === undefined) this.problem(name, `is none of ${choices.join(', ')}; set it to one of these, or unset it`)
    return found ?? byDefault
  }

  ratio (name: string): number {
    const value = this.text(name) === '' ? 1 : Number(this.text(name))
    if (!(value >= 0 && value <= 1)) this.problem(name, 'is not a number from 0 to 1; set it to the part of the connections to trace, such as 0.01')
    return value
  }

  positive (name: string, byDefault: number): number {
    const text = this.text(name)
    if (text === '') return byDefault
    const value = /^\d{1,9}$/.test(text) ? Number(text) : 0
    if (value === 0) this.problem(name, 'is not a whole number from 1 to 999999999; set it to one, or unset it')
    return value
  }

  url (name: string): URL | undefined {
    if (!this.has(name)) return undefined
    const text = this.text(name)
    const url = URL.canParse(text) ? new URL(text) : undefined
    if (url !== undefined && /^https?:$/.test(url.protocol)) return url
    this.problem(name, 'is not an http or https URL; set it to one, such as http://collector:4318')
    return undefined
  }

  /** `key=value,key=value`, values percent-encoded. */
  pairs (name: string): Record<string, string> {
    const pairs: Record<string, string> = {}
    for (const item of this.text(name).split(',').map(item => item.trim()).filter(Boolean)) {
      const separator = item.indexOf('=')
      const key = decoded(item.slice(0, Math.max(separator, 0)).trim())
      const value = decoded(item.slice(separator + 1).trim())
      if (separator < 1 || key === undefined || value === undefined) {
        this.problem(name, 'is not a list of key=value, such as deployment.environment=production,team=chat; a comma in a value is %2C')
        return {}
      }
      pairs[key] = value
    }
    return pairs
  }
}

function decoded (text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined // A lone % that encodes nothing; the caller says so.
  }
}
