import { join } from 'node:path'
import t from 'tap'
import { mics } from './run.js'

const tenants = {
  TENANT_AUTH_MAP: '{"acme":"http://hooks.acme.example:8081","globex":"https://globex.example"}',
  TENANT_HOOK_SECRETS: '{"acme":"hunter2"}',
}

t.test('the effective configuration is a table with secrets masked', async t => {
  const { stdout, stderr, exitCode } = await mics(['config', 'check'], {
    ...tenants,
    PORT: '9000',
    REDIS__CONNECTION: 'redis://user:hunter2@redis:6379/1',
    CLUSTER_GRPC_TOKEN: 'hunter2,hunter2-before',
  })
  t.equal(exitCode, 0)
  t.equal(stderr, '')
  t.match(stdout, /^PORT +9000 +\(environment\)$/m)
  t.match(stdout, /^DRAIN_TIMEOUT_SECONDS +10 +\(default\)$/m)
  t.match(stdout, /^TENANT_HOOK_SECRETS +\*\*\*\* +\(environment\)$/m)
  t.match(stdout, /^CLUSTER_GRPC_TOKEN +\*\*\*\*,\*\*\*\* +\(environment\)$/m)
  t.match(stdout, /^REDIS__CONNECTION +redis:\/\/user:\*\*\*\*@redis:6379\/1 +\(environment\)$/m)
  t.match(stdout, /^KAFKA__BOOTSTRAP_SERVERS +- +\(default\)$/m)
  t.notMatch(stdout, /^(REDIS_URL|KAFKA_BROKERS) /m, 'one name a setting')
  t.match(stdout, /^Tenants: 2\n {2}acme +http:\/\/hooks\.acme\.example:8081 +secret: set +hook concurrency: 32$/m)
  t.match(stdout, /^ {2}globex +https:\/\/globex\.example +secret: none/m)
  t.notMatch(stdout, 'hunter2')
})

t.test('a URL of Sentinel or of a Redis Cluster is shown without its passwords', async t => {
  const shown = async (url: string): Promise<string | undefined> => {
    const { stdout } = await mics(['config', 'check'], { ...tenants, CLUSTER_GRPC_TOKEN: 'hunter2', REDIS_URL: url })
    return /^REDIS_URL +(\S+)/m.exec(stdout)?.[1]
  }
  t.equal(await shown('rediss-cluster://user:hunter2@a:7000,b'), 'rediss-cluster://user:****@a:7000,b')
  t.equal(await shown('redis-sentinel://:hunter2@a,b?sentinelPassword=hunter2#main'),
    'redis-sentinel://:****@a,b?sentinelPassword=****#main')
})

t.test('--json prints the same for programs', async t => {
  const { stdout, exitCode } = await mics(['config', 'check', '--json'], { ...tenants, REDIS_ULR: 'x', HOOK_SIGN_REQUIRED: '1' })
  t.equal(exitCode, 0)
  const { ok, variables, tenants: shown, warnings } = JSON.parse(stdout)
  t.equal(ok, true)
  t.strictSame(variables.find(({ name }: { name: string }) => name === 'HOOK_SIGN_REQUIRED'), { name: 'HOOK_SIGN_REQUIRED', value: true, source: 'environment' })
  t.match(shown, [{ id: 'acme', secret: 'set', settings: { hookMaxConcurrency: 32 } }, { id: 'globex', secret: 'none' }])
  t.match(warnings, [/^REDIS_ULR is set.*did you mean REDIS_URL\?$/, /^tenant globex has no secret but its hooks must be signed/])
  t.notMatch(stdout, 'hunter2')
})

t.test('it says whether messages are traced, and where to', async t => {
  const off = await mics(['config', 'check'], tenants)
  t.match(off.stdout, /^Tracing: off$/m)
  const env = {
    ...tenants,
    OTEL_EXPORTER_OTLP_ENDPOINT: 'http://user:hunter2@collector:4318',
    OTEL_TRACES_SAMPLER: 'parentbased_traceidratio',
    OTEL_TRACES_SAMPLER_ARG: '0.01',
  }
  const on = await mics(['config', 'check'], env)
  t.match(on.stdout, /^Tracing: to http:\/\/collector:4318\/v1\/traces as mics, sampler parentbased_traceidratio 0\.01$/m)
  t.notMatch(on.stdout, 'hunter2')
  const json = await mics(['config', 'check', '--json'], env)
  t.strictSame(JSON.parse(json.stdout).tracing,
    { to: 'http://collector:4318/v1/traces', serviceName: 'mics', sampler: 'parentbased_traceidratio', ratio: 0.01 })
  const refused = await mics(['config', 'check'], { ...env, OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' })
  t.match(refused, { exitCode: 2, stderr: /OTEL_EXPORTER_OTLP_PROTOCOL: is not http\/protobuf/ })
})

t.test('the tenants file is read too', async t => {
  const path = join(t.testdir({
    'tenants.yaml': 'tenants: { acme: { authUrl: "http://acme", secret: hunter2, hookMaxConcurrency: 7 } }',
    'broken.yaml': 'tenants: { acme: { secret: hunter2 }, globex: { authUrl: "ftp://x" } }',
  }), 'tenants.yaml')
  const good = await mics(['config', 'check'], { TENANTS_FILE: path })
  t.match(good, { exitCode: 0, stdout: /^ {2}acme +http:\/\/acme +secret: set +hook concurrency: 7$/m })

  const broken = await mics(['config', 'check', '--json'], { TENANTS_FILE: path.replace('tenants.yaml', 'broken.yaml') })
  t.equal(broken.exitCode, 2)
  t.match(broken.stderr, /2 problems in the configuration:\n.*tenants\.acme\.authUrl: is missing\n.*tenants\.globex\.authUrl: does not begin/)
  t.match(JSON.parse(broken.stdout), { ok: false, problems: [{ variable: 'TENANTS_FILE' }, { variable: 'TENANTS_FILE' }] })
  t.notMatch(broken.stdout + broken.stderr, 'hunter2')
})

t.test('a tenant is shown with the settings that hold for it, and a default above its cap is pointed out', async t => {
  const path = join(t.testdir({
    'tenants.yaml': `
tenants:
  acme:
    authUrl: http://acme
    secret: hunter2
    hookMaxConcurrency: 50
    defaults:
      heartbeatTimeoutSeconds: 60
      tenantSecret: hunter3
      syncSenderDevices: false
      offlineBufferTtlSeconds: 10
    caps: { heartbeatTimeoutSeconds: 30, tenantMaxConnections: 5, hookMaxConcurrency: 40, offlineBufferTtlSeconds: 10 }
  globex: { authUrl: "http://globex" }
`,
  }), 'tenants.yaml')
  const warnings = [
    'tenants.acme.defaults.heartbeatTimeoutSeconds: 60 is above its cap of 30',
    'tenants.acme.hookMaxConcurrency: 50 is above its cap of 40',
  ]

  const text = await mics(['config', 'check'], { TENANTS_FILE: path })
  const shown = text.stdout.slice(text.stdout.indexOf('Tenants: '))
  const settings = /^ {4}settings: (.*)$/m.exec(shown)?.[1]?.split(', ') ?? []
  t.equal(shown.replace(/settings: .*/, 'settings: ...'), `Tenants: 2
  acme    http://acme    secret: set   hook concurrency: 40
    settings: ...
    caps: heartbeatTimeoutSeconds 30, tenantMaxConnections 5, hookMaxConcurrency 40, offlineBufferTtlSeconds 10
  globex  http://globex  secret: none  hook concurrency: 32
`)
  t.strictSame(settings.toSorted(),
    ['offlineBufferTtlSeconds 10', 'syncSenderDevices false', 'tenantMaxConnections 5', 'tenantSecret set'])
  t.strictSame(text.stderr, warnings.map(warning => `warning: ${warning}\n`).join(''))

  const json = await mics(['config', 'check', '--json'], { TENANTS_FILE: path })
  const { tenants: [acme, globex], warnings: told } = JSON.parse(json.stdout)
  t.strictSame(told, warnings)
  t.match(acme.caps, { heartbeatTimeoutSeconds: 30, tenantMaxConnections: 5 })
  t.equal(Object.keys(acme.settings).length, 18, 'all of them')
  t.match(acme.settings, { heartbeatTimeoutSeconds: 30, tenantMaxConnections: 5, hookMaxConcurrency: 40, tenantSecret: 'set' })
  t.match(globex.settings, { heartbeatTimeoutSeconds: 30, tenantMaxConnections: 0, tenantSecret: 'none' })
  t.strictSame([globex.own, globex.caps], [{}, {}])
  t.notMatch(json.stdout + text.stdout, /hunter/)
})

t.test('a file of no tenants is pointed out, unless the demo tenant is there', async t => {
  const env = { TENANTS_FILE: join(t.testdir({ 'tenants.yaml': 'tenants: {}' }), 'tenants.yaml') }
  const { stdout, stderr, exitCode } = await mics(['config', 'check'], env)
  t.equal(exitCode, 0)
  t.match(stdout, /^Tenants: none; the file lists none yet$/m)
  t.equal(stderr, 'warning: the tenants file lists no tenant: every client gets 4002 until it does\n')
  t.equal((await mics(['config', 'check', '--embedded'], env)).stderr, '')
})

t.test('problems of the environment do not hide those of the tenants file', async t => {
  const folder = t.testdir({ 'broken.yaml': 'tenants: { acme: { secret: hunter2 }, globex: { authUrl: "ftp://x" } }' })
  const env = { PORT: 'abc', TENANTS_FILE: join(folder, 'broken.yaml') }
  const { stdout, stderr, exitCode } = await mics(['config', 'check', '--json'], env)
  t.equal(exitCode, 2)
  t.match(stderr, /^3 problems in the configuration:\n {2}PORT: .*\n.*tenants\.acme\.authUrl: is missing\n.*tenants\.globex\.authUrl: does not begin/)
  t.match(JSON.parse(stdout), { ok: false, problems: [{ variable: 'PORT' }, { variable: 'TENANTS_FILE' }, { variable: 'TENANTS_FILE' }] })

  t.equal((await mics(['start'], env)).stderr, stderr, 'start tells the same')

  const missing = await mics(['config', 'check'], { PORT: 'abc', TENANTS_FILE: join(folder, 'missing.yaml') })
  t.match(missing.stderr, /^2 problems in the configuration:\n {2}PORT: .*\n.*missing\.yaml: does not exist/)
})

t.test('a misspelt variable is pointed out before the problem it makes', async t => {
  const env = { TENANT_AUTHMAP: '{"acme":"http://acme"}' }
  for (const command of [['start'], ['config', 'check']]) {
    const { stderr, exitCode } = await mics(command, env)
    t.equal(exitCode, 2)
    t.match(stderr,
      /^warning: TENANT_AUTHMAP is set but means nothing here; did you mean TENANT_AUTH_MAP\?\nA problem in the configuration:\n {2}TENANT_AUTH_MAP: no tenants/,
      command.join(' '))
  }
  const { stdout } = await mics(['config', 'check', '--json'], env)
  t.match(JSON.parse(stdout), { ok: false, warnings: [/^TENANT_AUTHMAP is set/] })
})

t.test('every problem is on stderr at once, with exit code 2 and no stack trace', async t => {
  const { stdout, stderr, exitCode } = await mics(['config', 'check'], { PORT: 'x', LOG_LEVEL: 'y' })
  t.equal(exitCode, 2)
  t.equal(stdout, '')
  t.match(stderr, /^3 problems in the configuration:\n {2}PORT: .*\n {2}LOG_LEVEL: .*\n {2}TENANT_AUTH_MAP: no tenants/)
  t.notMatch(stderr, /^ +at /m)
})

t.test('--embedded needs no tenants', async t => {
  const { stdout, exitCode } = await mics(['config', 'check', '--embedded'])
  t.equal(exitCode, 0)
  t.match(stdout, 'Tenants: the demo tenant only')
})
