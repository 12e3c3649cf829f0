import t from 'tap'
import { ConfigError } from '../../lib/config/config-error.js'
import { loadConfig } from '../../lib/config/load-config.js'
import { readTracing, SAMPLERS, tracingTarget, type TracingConfig } from '../../lib/config/tracing-config.js'

const ENDPOINT = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318' }

function problemsOf (env: NodeJS.ProcessEnv): string[] {
  return readTracing(env).problems.map(({ message }) => message)
}

function read (env: NodeJS.ProcessEnv): TracingConfig {
  const { tracing, problems } = readTracing(env)
  if (tracing === undefined) throw new Error(`tracing is off: ${JSON.stringify(problems)}`)
  return tracing
}

t.test('it is off where nothing is said, and where it is said', async t => {
  for (const env of [
    {}, { OTEL_EXPORTER_OTLP_ENDPOINT: ' ' }, { OTEL_SERVICE_NAME: 'chat' },
    { ...ENDPOINT, OTEL_TRACES_EXPORTER: 'none' }, { ...ENDPOINT, OTEL_SDK_DISABLED: 'True' },
    // What is not used is not looked at.
    { OTEL_SDK_DISABLED: 'true', OTEL_TRACES_EXPORTER: 'zipkin', OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' },
    { OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc', OTEL_TRACES_SAMPLER: 'sometimes' },
  ]) {
    t.strictSame(readTracing(env), { tracing: undefined, problems: [] }, JSON.stringify(env))
  }
})

t.test('it is on where there is an endpoint or an exporter, with the defaults of OpenTelemetry', async t => {
  t.strictSame(read(ENDPOINT), {
    exporter: 'otlp',
    url: 'http://collector:4318/v1/traces',
    serviceName: 'mics',
    resourceAttributes: {},
    sampler: 'parentbased_always_on',
    ratio: 1,
    maxQueueSize: 2048,
    maxBatchSize: 512,
    scheduleDelayMs: 5000,
    exportTimeoutMs: 30_000,
  })
  t.equal(read({ OTEL_TRACES_EXPORTER: 'otlp' }).url, 'http://localhost:4318/v1/traces')
  t.match(read({ OTEL_TRACES_EXPORTER: 'console', OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' }), { exporter: 'console', url: '' })
  t.equal(read({ ...ENDPOINT, OTEL_SDK_DISABLED: 'false' }).exporter, 'otlp')
})

t.test('the endpoint of traces is taken as it is, the general one gets the path', async t => {
  t.equal(read({ ...ENDPOINT, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'https://t.example/in?k=v' }).url, 'https://t.example/in?k=v')
  t.equal(read({ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://c:4318/otel//' }).url, 'http://c:4318/otel/v1/traces')
})

t.test('where spans go is shown without credentials', async t => {
  t.equal(tracingTarget(read({ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'https://u:p@t.example/in?key=v' })), 'https://t.example/in')
  t.equal(tracingTarget(read({ OTEL_TRACES_EXPORTER: 'console' })), 'the standard output')
})

t.test('the resource is named by either variable', async t => {
  const attributes = { OTEL_RESOURCE_ATTRIBUTES: 'service.name=chat, team=im%2Cweb ,,note=a=b' }
  t.match(read({ ...ENDPOINT, ...attributes }), { serviceName: 'chat', resourceAttributes: { team: 'im,web', note: 'a=b' } })
  t.equal(read({ ...ENDPOINT, ...attributes, OTEL_SERVICE_NAME: 'im' }).serviceName, 'im')
})

t.test('each sampler is known, and the ratio where it has one', async t => {
  for (const sampler of SAMPLERS) {
    const { ratio } = read({ ...ENDPOINT, OTEL_TRACES_SAMPLER: sampler, OTEL_TRACES_SAMPLER_ARG: '0.01' })
    t.equal(ratio, sampler.endsWith('ratio') ? 0.01 : 1, sampler)
  }
  t.equal(read({ ...ENDPOINT, OTEL_TRACES_SAMPLER: 'traceidratio' }).ratio, 1)
})

t.test('a protocol that is not spoken is refused, and the refusal says what to set', async t => {
  const message = ': is not http/protobuf, the only one that is spoken here; set it to http/protobuf and the endpoint to the ' +
    "collector's port for OTLP over HTTP, which is usually 4318, or unset it"
  t.strictSame(problemsOf({ ...ENDPOINT, OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' }), [`OTEL_EXPORTER_OTLP_PROTOCOL${message}`])
  const own = { OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: 'http/json', OTEL_EXPORTER_OTLP_PROTOCOL: 'http/protobuf' }
  t.strictSame(problemsOf({ ...ENDPOINT, ...own }), [`OTEL_EXPORTER_OTLP_TRACES_PROTOCOL${message}`])
  t.strictSame(problemsOf({ ...ENDPOINT, OTEL_EXPORTER_OTLP_PROTOCOL: 'http/protobuf' }), [])
})

t.test('every value that cannot be used is named, and none is repeated', async t => {
  const bad = {
    OTEL_TRACES_EXPORTER: 'secret-zipkin',
    OTEL_EXPORTER_OTLP_ENDPOINT: 'secret:4318',
    OTEL_RESOURCE_ATTRIBUTES: 'secret',
    OTEL_TRACES_SAMPLER: 'secret',
    OTEL_BSP_MAX_QUEUE_SIZE: '0',
    OTEL_BSP_MAX_EXPORT_BATCH_SIZE: '1.5',
    OTEL_BSP_SCHEDULE_DELAY: '-1',
    OTEL_BSP_EXPORT_TIMEOUT: 'secret',
  }
  // The default of the exporter is otlp, as there is an endpoint.
  t.strictSame(readTracing(bad).problems.map(({ variable }) => variable).sort(), Object.keys(bad).sort())
  t.notMatch(problemsOf(bad).join('\n'), /secret/)
  for (const arg of ['1.1', '-0.1', 'half']) {
    t.match(problemsOf({ ...ENDPOINT, OTEL_TRACES_SAMPLER: 'traceidratio', OTEL_TRACES_SAMPLER_ARG: arg }), [/^OTEL_TRACES_SAMPLER_ARG: /])
  }
  t.match(problemsOf({ ...ENDPOINT, OTEL_RESOURCE_ATTRIBUTES: 'note=100%' }), [/^OTEL_RESOURCE_ATTRIBUTES: /])
})

t.test('they are problems of the configuration like all others, behind those of our own variables', async t => {
  const env = { ...ENDPOINT, OTEL_TRACES_SAMPLER: 'x', PORT: 'x', TENANT_AUTH_MAP: 'a=http://h' }
  let refused: unknown
  try {
    loadConfig(env)
  } catch (error) {
    refused = error
  }
  t.ok(refused instanceof ConfigError)
  t.strictSame((refused as ConfigError).problems.map(({ variable }) => variable), ['PORT', 'OTEL_TRACES_SAMPLER'])
})
