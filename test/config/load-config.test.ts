import t from 'tap'
import { ConfigError } from '../../lib/config/config-error.js'
import type { GatewayConfig } from '../../lib/config/gateway-config.js'
import { environmentVariables } from '../../lib/config/environment.js'
import { loadConfig } from '../../lib/config/load-config.js'

const tenants = { TENANT_AUTH_MAP: '{"acme":"http://hooks.acme.example:8081"}' }

function load (env: NodeJS.ProcessEnv): GatewayConfig {
  return loadConfig({ ...tenants, ...env }, { hostname: 'host-1' })
}

/** What an environment is refused with. */
function refusal (env: NodeJS.ProcessEnv, options = {}): ConfigError | undefined {
  try {
    loadConfig(env, options)
  } catch (error) {
    if (error instanceof ConfigError) return error
    throw error
  }
  return undefined
}

/** The messages of a refused environment, exactly as given. */
function problems (env: NodeJS.ProcessEnv, options = {}): string[] {
  return refusal(env, options)?.problems.map(({ message }) => message) ?? []
}

t.test('every field of the configuration has its default', async t => {
  const expected: GatewayConfig = {
    nodeId: 'host-1',
    publicEndpoint: '',
    host: '0.0.0.0',
    port: 8080,
    nodePort: 8081,
    workers: '1',
    logLevel: 'info',
    redisUrl: '',
    kafkaBrokers: '',
    tenants: [{ id: 'acme', authUrl: 'http://hooks.acme.example:8081', secret: '' }],
    tenantsFile: '',
    hookSignRequired: false,
    hookMaxConcurrency: 32,
    hookQueueTimeoutMs: 10,
    hookBreakerFailureThreshold: 5,
    hookBreakerOpenMs: 5000,
    wsKeepaliveIntervalSeconds: 30,
    maxMessageBytes: 1_048_576,
    sessionMaxInflight: 32,
    wsMaxBufferedBytes: 1_048_576,
    handshakeMaxPerSecond: 2000,
    handshakeMaxInProgress: 2048,
    offlineBufferMaxMessagesPerUser: 128,
    offlineBufferMaxBytesPerUser: 1_048_576,
    offlineBufferMaxUsersPerTenant: 10_000,
    offlineBufferMaxBytesPerTenant: 67_108_864,
    offlineBufferMaxBytes: 268_435_456,
    groupRouteChunkSize: 256,
    groupMembersMaxUsers: 200_000,
    groupOfflineBufferMaxUsers: 1024,
    dedupMaxEntriesPerTenant: 250_000,
    dedupMaxEntries: 1_000_000,
    metricsMaxTenants: 200,
    messageTraceEntries: 10_000,
    redisTimeoutMs: 500,
    redisGraceSeconds: 30,
    admitWithoutRedis: true,
    dedupStore: 'redis',
    nodeLeaseSeconds: 5,
    peerTimeoutMs: 1000,
    peerQueueMaxBytes: 16_777_216,
    localRouteCacheTtlSeconds: 2,
    kafkaSecurityProtocol: 'plaintext',
    kafkaSaslMechanism: '',
    kafkaSaslUsername: '',
    kafkaSaslPassword: '',
    kafkaSslCaFile: '',
    kafkaSslCertFile: '',
    kafkaSslKeyFile: '',
    kafkaSslKeyPassword: '',
    kafkaEventTopic: 'im-mics-{tenant_id}-event',
    kafkaDlqTopic: 'im-mics-{tenant_id}-event-dlq',
    kafkaCreateTopics: false,
    kafkaTopicPartitions: 0,
    kafkaTopicReplicationFactor: 0,
    kafkaCompression: 'lz4',
    kafkaDeliveryTimeoutMs: 10_000,
    kafkaMaxAttempts: 3,
    kafkaRetryBackoffMs: 50,
    kafkaQueueCapacity: 50_000,
    kafkaQueueMaxBytes: 134_217_728,
    kafkaMaxPendingPerTenant: 5000,
    kafkaMaxPendingBytesPerTenant: 16_777_216,
    kafkaFlushSeconds: 5,
    grpcBreakerFailureThreshold: 5,
    grpcBreakerOpenMs: 5000,
    clusterGrpcTokens: [],
    drainTimeoutSeconds: 10,
    drainDelaySeconds: 0,
    tracing: undefined,
  }
  t.strictSame(load({}), expected)
})

t.test('an empty variable counts as not set', async t => {
  const empty = Object.fromEntries(environmentVariables.map(({ name }) => [name, '']))
  t.strictSame(loadConfig({ ...empty, ...tenants, PORT: ' ' }, { hostname: 'host-1' }), load({}))
})

t.test('every number is taken at both ends of its range and refused beyond', async t => {
  for (const variable of environmentVariables) {
    if (variable.type !== 'integer') continue
    const { name, min, max } = variable
    for (const good of [min, max]) t.doesNotThrow(() => load({ [name]: String(good) }), `${name}=${good}`)
    for (const bad of [min - 1, max + 1, 'abc', '1.5', '1e3', '0x10', '1_000', 'Infinity']) {
      t.match(problems({ ...tenants, [name]: String(bad) }), [
        new RegExp(`^${name}: "${bad}" is not allowed; it takes a whole number from ${min} to ${max}$`)
      ], `${name}=${bad}`)
    }
    t.equal(load({ [name]: String(max) })[variable.field], max)
  }
})

t.test('a zero that stands for something else is resolved', async t => {
  t.equal(load({ MAX_MESSAGE_BYTES: '0' }).maxMessageBytes, 67_108_864)
  t.equal(load({ HOOK_BREAKER_OPEN_MS: '0' }).hookBreakerOpenMs, 1)
  t.equal(load({ PORT: '0' }).port, 0)
  t.equal(load({ OFFLINE_BUFFER_MAX_MESSAGES_PER_USER: '0' }).offlineBufferMaxMessagesPerUser, 0)
})

t.test('a yes or no is true, false, 1 or 0', async t => {
  for (const yes of ['true', '1', 'TRUE', ' true ']) t.equal(load({ HOOK_SIGN_REQUIRED: yes }).hookSignRequired, true, yes)
  for (const no of ['false', '0']) t.equal(load({ HOOK_SIGN_REQUIRED: no }).hookSignRequired, false, no)
  t.strictSame(problems({ ...tenants, HOOK_SIGN_REQUIRED: 'yes' }),
    ['HOOK_SIGN_REQUIRED: "yes" is not allowed; it takes true, false, 1 or 0'])
})

t.test('texts are taken where they have the right form', async t => {
  const good: [string, string][] = [
    ['NODE_ID', 'node-1.eu_2'], ['HOST', '::'], ['HOST', '127.0.0.1'], ['HOST', 'localhost'], ['LOG_LEVEL', 'silent'],
    ['PUBLIC_ENDPOINT', 'http://10.0.0.1:8081'], ['CLUSTER_GRPC_TOKEN', 'abc/+=~!'],
    ['REDIS_URL', 'rediss://user:p%40ss@redis.example:6380/2'], ['REDIS_URL', 'redis-sentinel://:x@a:26379,[::1]/1#main'],
    ['REDIS_URL', 'rediss-cluster://a:7000,b:7001'], ['REDIS_URL', '[::1]:6380'], ['KAFKA_BROKERS', 'a:9092,[::1]:9093'],
    ['KAFKA_EVENT_TOPIC', 'Events.of_{tenant_id}'], ['KAFKA_EVENT_TOPIC', `{tenant_id}${'e'.repeat(100)}`],
  ]
  for (const [name, value] of good) {
    t.strictSame(problems({ ...tenants, CLUSTER_GRPC_TOKEN: 'x', [name]: value }), [], `${name}=${value}`)
  }

  const bad: [string, string][] = [
    ['NODE_ID', 'two words'], ['HOST', 'http://x'], ['LOG_LEVEL', 'loud'], ['PUBLIC_ENDPOINT', '10.0.0.1:8081'],
    ['PUBLIC_ENDPOINT', 'http://user:pass@x'], ['REDIS_URL', 'http://x'], ['REDIS_URL', 'redis:6379,password=x'],
    ['REDIS_URL', 'redis://x/db'], ['REDIS_URL', 'redis:99999'], ['REDIS_URL', 'redis://a,b'],
    ['REDIS_URL', 'redis-sentinel://a'], ['KAFKA_BROKERS', 'a:9092,'], ['KAFKA_BROKERS', 'a:0'],
    ['CLUSTER_GRPC_TOKEN', 'two words'], ['CLUSTER_GRPC_TOKEN', 'token\n'], ['KAFKA_SASL_PASSWORD', 'password\n'],
    ['KAFKA_EVENT_TOPIC', 'events'], ['KAFKA_EVENT_TOPIC', '{tenant_id}-{tenant_id}'], ['KAFKA_EVENT_TOPIC', 'a/{tenant_id}'],
    ['KAFKA_EVENT_TOPIC', `{tenant_id}${'e'.repeat(101)}`],
  ]
  const complete = { CLUSTER_GRPC_TOKEN: 'x', KAFKA_SECURITY_PROTOCOL: 'sasl_ssl', KAFKA_SASL_MECHANISM: 'PLAIN', KAFKA_SASL_USERNAME: 'x', KAFKA_SASL_PASSWORD: 'x' }
  for (const [name, value] of bad) {
    t.match(problems({ ...tenants, ...complete, [name]: value }), [new RegExp(`^${name}: .*; it takes `)], `${name}=${value}`)
  }
})

t.test('of several tokens the first is presented; what cannot be meant is refused', async t => {
  t.strictSame(load({ CLUSTER_GRPC_TOKEN: 'one' }).clusterGrpcTokens, ['one'])
  t.strictSame(load({ CLUSTER_GRPC_TOKEN: 'new,old' }).clusterGrpcTokens, ['new', 'old'])
  t.strictSame(load({ CLUSTER_GRPC_TOKEN: 'a,b,c,d' }).clusterGrpcTokens, ['a', 'b', 'c', 'd'])
  for (const [value, problem] of [
    ['new,', 'has an empty token at position 2 of the list'],
    [',old', 'has an empty token at position 1 of the list'],
    ['new,,old', 'has an empty token at position 2 of the list'],
    ['new, old', 'contains a space or another character that cannot be sent, or is too long, at position 2 of the list'],
    [`new,${'o'.repeat(1025)}`, 'contains a space or another character that cannot be sent, or is too long, at position 2 of the list'],
    ['same,other,same', 'has the same token twice'],
    ['a,b,c,d,e', 'has 5 tokens'],
  ]) {
    t.strictSame(problems({ ...tenants, CLUSTER_GRPC_TOKEN: value }), [`CLUSTER_GRPC_TOKEN: ${problem}; it takes 1 to 1024 ` +
      'printable ASCII characters without spaces and commas; up to 4 such, separated by commas'], value)
  }
})

t.test('Redis and Kafka have two names each', async t => {
  const token = { CLUSTER_GRPC_TOKEN: 'x' }
  t.equal(load({ ...token, REDIS__CONNECTION: 'redis:6380' }).redisUrl, 'redis://redis:6380')
  t.equal(load({ ...token, REDIS_URL: 'redis' }).redisUrl, 'redis://redis:6379')
  t.equal(load({ ...token, REDIS_URL: '[::1]' }).redisUrl, 'redis://[::1]:6379')
  t.equal(load({ ...token, REDIS_URL: 'redis://:x@redis:6379/1' }).redisUrl, 'redis://:x@redis:6379/1')
  t.equal(load({ KAFKA__BOOTSTRAP_SERVERS: 'a:1, b' }).kafkaBrokers, 'a:1,b:9092')
  t.equal(load({ KAFKA_BROKERS: 'a:1' }).kafkaBrokers, 'a:1')

  t.equal(load({ ...token, REDIS__CONNECTION: 'redis:6379', REDIS_URL: 'redis://redis:6379' }).redisUrl, 'redis://redis:6379', 'both alike')
  t.strictSame(problems({ ...tenants, ...token, REDIS__CONNECTION: 'one:6379', REDIS_URL: 'redis://:secret@two', KAFKA__BOOTSTRAP_SERVERS: 'a', KAFKA_BROKERS: 'b' }), [
    'REDIS__CONNECTION: REDIS_URL has a different value, and they are two names of one setting; set only one of them',
    'KAFKA__BOOTSTRAP_SERVERS: KAFKA_BROKERS has a different value, and they are two names of one setting; set only one of them',
  ])
})

t.test('a choice may be written in capitals or not', async t => {
  const env = { KAFKA_SECURITY_PROTOCOL: 'SASL_SSL', KAFKA_SASL_MECHANISM: 'scram-sha-512', KAFKA_SASL_USERNAME: 'mics', KAFKA_SASL_PASSWORD: ' pass word ' }
  const config = load(env)
  t.equal(config.kafkaSecurityProtocol, 'sasl_ssl')
  t.equal(config.kafkaSaslMechanism, 'SCRAM-SHA-512')
  t.equal(config.kafkaSaslPassword, ' pass word ', 'a password is taken to the letter')
})

t.test('a login to Kafka is complete, and used', async t => {
  t.strictSame(problems({ ...tenants, KAFKA_SECURITY_PROTOCOL: 'sasl_ssl', KAFKA_SASL_USERNAME: 'mics' }), [
    'KAFKA_SASL_MECHANISM: is not set, and KAFKA_SECURITY_PROTOCOL is sasl_ssl, which logs in; set it',
    'KAFKA_SASL_PASSWORD: is not set, and KAFKA_SECURITY_PROTOCOL is sasl_ssl, which logs in; set it',
  ])
  t.strictSame(problems({ ...tenants, KAFKA_SASL_USERNAME: 'mics' }), [
    'KAFKA_SASL_USERNAME: is set, and KAFKA_SECURITY_PROTOCOL is plaintext, which does not log in; ' +
      'set that to sasl_ssl or sasl_plaintext, or unset KAFKA_SASL_USERNAME',
  ])
  t.match(problems({ ...tenants, KAFKA_SECURITY_PROTOCOL: 'ssl', KAFKA_SASL_MECHANISM: 'plain' }), [/set that to sasl_ssl, or/])
})

t.test('certificates for Kafka are complete, and used', async t => {
  const ssl = { ...tenants, KAFKA_SECURITY_PROTOCOL: 'ssl' }
  t.strictSame(problems(ssl), [])
  t.strictSame(problems({ ...ssl, KAFKA_SSL_CERT_FILE: 'c', KAFKA_SSL_KEY_FILE: 'k', KAFKA_SSL_KEY_PASSWORD: 'p', KAFKA_SSL_CA_FILE: 'a' }), [])
  t.strictSame(problems({ ...ssl, KAFKA_SSL_CERT_FILE: 'c' }), ['KAFKA_SSL_CERT_FILE: is set, and KAFKA_SSL_KEY_FILE is not; set both or neither'])
  t.match(problems({ ...ssl, KAFKA_SSL_KEY_FILE: 'k' }), [/^KAFKA_SSL_KEY_FILE: is set, and KAFKA_SSL_CERT_FILE is not/])
  t.match(problems({ ...ssl, KAFKA_SSL_KEY_PASSWORD: 'p' }), [/^KAFKA_SSL_KEY_PASSWORD: is set, and KAFKA_SSL_KEY_FILE is not/])
  t.match(problems({ ...tenants, KAFKA_SSL_CA_FILE: 'a' }), [/^KAFKA_SSL_CA_FILE: .* is plaintext, which does not use TLS; set that to ssl, or/])
})

t.test('events of one tenant cannot meet the dead letters of another', async t => {
  const pair = (events: string, letters: string): string[] =>
    problems({ ...tenants, KAFKA_EVENT_TOPIC: events, KAFKA_DLQ_TOPIC: letters })
  for (const [events, letters] of [
    ['{tenant_id}', '{tenant_id}'], ['{tenant_id}', '{tenant_id}-dlq'], ['{tenant_id}-dlq', '{tenant_id}'],
    ['{tenant_id}-event', 'dlq-{tenant_id}-event'], ['x-{tenant_id}', '{tenant_id}-x'],
    ['a.{tenant_id}', 'a_{tenant_id}'],
  ] as const) {
    t.match(pair(events, letters), [/^KAFKA_DLQ_TOPIC: with KAFKA_EVENT_TOPIC, dead letters of one tenant/], `${events} ${letters}`)
  }
  for (const [events, letters] of [
    ['{tenant_id}-event', '{tenant_id}-event-dlq'], ['event-{tenant_id}', 'dlq-{tenant_id}'], ['a.{tenant_id}', 'b.{tenant_id}.x'],
  ] as const) {
    t.strictSame(pair(events, letters), [], `${events} ${letters}`)
  }
  t.equal(problems({ ...tenants, KAFKA_EVENT_TOPIC: 'im-mics-{tenant_id}-event-dlq' }).length, 1, 'compared with the default')
})

t.test('tenants come as JSON or as a list', async t => {
  const expected = [
    { id: 't1', authUrl: 'http://hook:8081', secret: 's=1', hookMaxConcurrency: 16 },
    { id: 't2', authUrl: 'https://hook/base/', secret: '' },
  ]
  t.strictSame(loadConfig({
    TENANT_AUTH_MAP: '{"t1":"http://hook:8081","t2":"https://hook/base/"}',
    TENANT_HOOK_SECRETS: '{"t1":"s=1"}',
    TENANT_HOOK_MAX_CONCURRENCY: '{"t1":16}',
  }).tenants, expected)
  t.strictSame(loadConfig({
    TENANT_AUTH_MAP: 't1=http://hook:8081, t2=https://hook/base/',
    TENANT_HOOK_SECRETS: 't1=s=1',
    TENANT_HOOK_MAX_CONCURRENCY: 't1=16',
  }).tenants, expected)
})

t.test('a tenant named like a property of every object is a tenant like any other', async t => {
  const { tenants } = loadConfig({ TENANT_AUTH_MAP: '{"constructor":"http://a","__proto__":"http://b"}', TENANT_HOOK_SECRETS: '{"__proto__":"s"}' })
  t.strictSame(tenants, [
    { id: 'constructor', authUrl: 'http://a', secret: '' },
    { id: '__proto__', authUrl: 'http://b', secret: 's' },
  ])
})

t.test('what is wrong with a tenant is said by name', async t => {
  t.match(problems({
    TENANT_AUTH_MAP: '{"a":"ftp://x","b":3,"c\\td":"http://x"}',
    TENANT_HOOK_SECRETS: '{"a":7}',
    TENANT_HOOK_MAX_CONCURRENCY: '{"a":0}',
  }), [
    /^TENANT_AUTH_MAP: "c\\td" is not a tenant id; it takes 1 to 128 characters/,
    /^TENANT_AUTH_MAP: the URL of tenant "a" does not begin with http/,
    /^TENANT_AUTH_MAP: the URL of tenant "b" is not text/,
    /^TENANT_HOOK_SECRETS: the secret of tenant "a" is not text; put it in quotes$/,
    /^TENANT_HOOK_MAX_CONCURRENCY: the value of tenant "a" is not allowed; it takes a whole number from 1 to 10000$/,
  ])
  t.match(problems({ TENANT_AUTH_MAP: '{"a":"http://x"' }), [/^TENANT_AUTH_MAP: begins like JSON but is not/])
  t.match(problems({ TENANT_AUTH_MAP: '{"a":"http://x","a":"http://y"}' }), [/^TENANT_AUTH_MAP: names a tenant twice/])
  t.match(problems({ TENANT_AUTH_MAP: 'a=http://x,a=http://y' }), [/^TENANT_AUTH_MAP: names a tenant twice/])
  t.match(problems({ TENANT_AUTH_MAP: '["acme"]' }), [/^TENANT_AUTH_MAP: is a JSON array; it takes a JSON object such as \{"acme":"http:/])
  t.match(problems({ TENANT_AUTH_MAP: 'http://x' }), [/^TENANT_AUTH_MAP: is neither a JSON object nor a list/])
  t.match(problems({ ...tenants, TENANT_HOOK_SECRETS: '{"other":"s"}', TENANT_HOOK_MAX_CONCURRENCY: '{"third":1}' }), [
    /^TENANT_HOOK_SECRETS: tenant "other" is not in TENANT_AUTH_MAP/,
    /^TENANT_HOOK_MAX_CONCURRENCY: tenant "third" is not in TENANT_AUTH_MAP/,
  ])
})

t.test('the tenants file and the variables exclude each other', async t => {
  t.equal(loadConfig({ TENANTS_FILE: '/etc/mics/tenants.yaml' }).tenantsFile, '/etc/mics/tenants.yaml')
  t.match(problems({ ...tenants, TENANTS_FILE: 'x', TENANT_HOOK_SECRETS: '{"acme":"s"}' }), [
    /^TENANT_AUTH_MAP: TENANTS_FILE is set too/,
    /^TENANT_HOOK_SECRETS: TENANTS_FILE is set too/,
  ])
})

t.test('without tenants the problem says what to set, and embedded mode needs none', async t => {
  t.match(problems({}), [/^TENANT_AUTH_MAP: no tenants are configured; .*TENANT_AUTH_MAP='\{"acme":"http:.*or set TENANTS_FILE/])
  t.strictSame(problems({}, { embedded: true }), [])
  t.strictSame(loadConfig({}, { embedded: true }).tenants, [])
  t.match(problems({ TENANT_HOOK_SECRETS: '{"x":"s"}' }, { embedded: true }), [/^TENANT_HOOK_SECRETS: tenant "x" is not in/])
})

t.test('a map of no tenants is none', async t => {
  t.match(problems({ TENANT_AUTH_MAP: '{}', TENANT_HOOK_SECRETS: '{"acme":"s"}' }), [
    /^TENANT_AUTH_MAP: names no tenant; it takes a JSON object such as \{"acme":"http:\/\/hooks\.acme\.example:8081"\}/,
  ])
  t.strictSame(problems({ TENANT_AUTH_MAP: '{}' }, { embedded: true }), [])
})

t.test('the error names the tenants file where that much can be used', async t => {
  const named = (env: NodeJS.ProcessEnv): string | undefined => refusal(env)?.tenantsFile
  t.equal(named({ PORT: 'x', TENANTS_FILE: ' /etc/mics/tenants.yaml ' }), '/etc/mics/tenants.yaml')
  t.equal(named({ TENANTS_FILE: 'tenants.yaml', ...tenants }), 'tenants.yaml')
  t.equal(named({ TENANTS_FILE: 'a\0b' }), '')
  t.equal(named({ PORT: 'x' }), '')
})

t.test('every problem is told at once, a line each', async t => {
  try {
    loadConfig({ PORT: 'x', LOG_LEVEL: 'y', HOOK_MAX_CONCURRENCY: '0' })
    t.fail('it was taken')
  } catch (error) {
    t.ok(error instanceof ConfigError)
    const { message, problems, code } = error as ConfigError
    t.equal(code, 'MICS_CONFIG_INVALID')
    t.strictSame(problems.map(({ variable }) => variable), ['PORT', 'LOG_LEVEL', 'TENANT_AUTH_MAP', 'HOOK_MAX_CONCURRENCY'])
    t.equal(message.split('\n').length, 4)
  }
})

t.test('no message repeats a secret', async t => {
  const secret = 'hunter2'
  const environments: NodeJS.ProcessEnv[] = [
    { TENANT_HOOK_SECRETS: `{"acme":"${secret}"` },
    { TENANT_HOOK_SECRETS: `{"acme":"${secret}",}` },
    { TENANT_HOOK_SECRETS: secret },
    { TENANT_HOOK_SECRETS: `${secret}=` },
    { TENANT_HOOK_SECRETS: `acme=${secret},${secret}` },
    { TENANT_HOOK_SECRETS: `{"${secret}/+=":"acme"}` },
    { TENANT_HOOK_SECRETS: `{"acme":["${secret}"]}` },
    { TENANT_AUTH_MAP: `{"acme":"http://user:${secret}@hook"}` },
    { PUBLIC_ENDPOINT: `http://user:${secret}@hook` },
    { REDIS_URL: `redis://:${secret}@@:x` },
    { REDIS_URL: `redis-cluster://:${secret}@a,b:x` },
    { REDIS_URL: `redis-sentinel://:${secret}@a?sentinelPassword=${secret}` },
    { REDIS_URL: `redis:6379,password=${secret}` },
    { REDIS_URL: 'redis://a', REDIS__CONNECTION: `redis://:${secret}@a` },
    { CLUSTER_GRPC_TOKEN: `${secret} ` + ' x' },
    { CLUSTER_GRPC_TOKEN: `${secret},` },
    { CLUSTER_GRPC_TOKEN: `${secret},${secret}` },
    { KAFKA_SASL_PASSWORD: secret },
    { KAFKA_SSL_KEY_PASSWORD: `${secret}\n` },
  ]
  for (const env of environments) {
    const told = problems({ ...tenants, ...env })
    t.equal(told.length > 0, true, JSON.stringify(env))
    t.notMatch(told.join('\n'), secret)
  }
})

t.test('a long value is cut short in the message', async t => {
  const [message = ''] = problems({ ...tenants, PORT: 'x'.repeat(10_000) })
  t.ok(message.length < 200, message)
})
