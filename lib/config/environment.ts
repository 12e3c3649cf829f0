import type { GatewayConfig } from './gateway-config.js'

/** One environment variable. The table of them is the source of validation, `mics config check` and the docs' test. */
export type EnvironmentVariable = { name: string, help: string, secret: boolean } & (
  | { type: 'integer', field: FieldOf<number>, min: number, max: number, default: number }
  | { type: 'boolean', field: FieldOf<boolean>, default: boolean }
  | { type: 'choice', field: FieldOf<string>, choices: readonly string[], default: string }
  | { type: 'text', field: FieldOf<string> | FieldOf<readonly string[]>, format: TextFormat, default: string, defaultText: string }
  | { type: 'tenant-map', field: 'tenants', values: TenantMapValues, min: number, max: number }
)

type FieldOf<T> = {
  [Field in keyof GatewayConfig]: GatewayConfig[Field] extends T ? Field : never
}[keyof GatewayConfig]

/** What a text variable must look like; text-formats.ts knows how. */
export type TextFormat =
  | 'node-id' | 'host' | 'base-url' | 'path' | 'redis' | 'kafka' | 'topic' | 'credential' | 'tokens' | 'workers'

/** What a variable of the form `{"tenant": value}` holds. */
export type TenantMapValues = 'url' | 'secret' | 'integer'

/** One to present, and others that are accepted while they are changed. */
export const mostTokens = 4

/** Processes that share one port. */
export const mostWorkers = 128

/** Bytes. MAX_MESSAGE_BYTES=0 means this. */
export const largestMessageBytes = 64 * 1024 * 1024

const mebibyte = 1024 * 1024

export const environmentVariables: readonly EnvironmentVariable[] = [
  text('NODE_ID', 'nodeId', 'node-id', "This node's name in logs, metrics and ConnectAck", { defaultText: 'the host name' }),
  text('HOST', 'host', 'host', 'Address to listen on, for clients and for peers', { default: '0.0.0.0' }),
  integer('PORT', 'port', 0, 65535, 8080, 'Port for clients; 0: any free one'),
  integer('NODE_PORT', 'nodePort', 0, 65535, 8081, 'Port for peers (node to node RPC), where CLUSTER_GRPC_TOKEN is set; 0: any free one'),
  text('PUBLIC_ENDPOINT', 'publicEndpoint', 'base-url', "URL under which peers reach this node's NODE_PORT", { defaultText: 'HOST, or the first outward address, and NODE_PORT' }),
  text('WORKERS', 'workers', 'workers', 'Processes of `mics start` that share PORT, each a node of the cluster; auto: one for each core', { default: '1' }),
  choice('LOG_LEVEL', 'logLevel', ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'], 'info', 'Least severe log line that is written'),

  tenantMap('TENANT_AUTH_MAP', 'url', "Tenants and the base URL of each one's /auth hook"),
  tenantMap('TENANT_HOOK_SECRETS', 'secret', "Tenants' signing secrets", { secret: true }),
  tenantMap('TENANT_HOOK_MAX_CONCURRENCY', 'integer', "Tenants' own HOOK_MAX_CONCURRENCY", { min: 1, max: 10_000 }),
  text('TENANTS_FILE', 'tenantsFile', 'path', 'YAML or JSON file of tenants, reloaded when it changes; instead of the TENANT_ variables', { defaultText: 'none' }),

  boolean('HOOK_SIGN_REQUIRED', 'hookSignRequired', false, 'Make no hook call that cannot be signed'),
  integer('HOOK_MAX_CONCURRENCY', 'hookMaxConcurrency', 1, 10_000, 32, 'Calls at once of one hook of one tenant'),
  integer('HOOK_QUEUE_TIMEOUT_MS', 'hookQueueTimeoutMs', 0, 10_000, 10, 'Milliseconds a call waits for one of these; 0: it does not wait'),
  integer('HOOK_BREAKER_FAILURE_THRESHOLD', 'hookBreakerFailureThreshold', 1, 100, 5, 'Failures in a row that open the breaker of a hook'),
  integer('HOOK_BREAKER_OPEN_MS', 'hookBreakerOpenMs', 0, 60_000, 5000, 'Milliseconds until an open breaker lets one call through; 0: 1'),

  integer('WS_KEEPALIVE_INTERVAL_SECONDS', 'wsKeepaliveIntervalSeconds', 0, 600, 30, 'Seconds between WebSocket pings; 0: none'),
  integer('MAX_MESSAGE_BYTES', 'maxMessageBytes', 0, largestMessageBytes, mebibyte, 'Largest msg_body in bytes; 0: the maximum. A frame may be 64 KiB larger'),
  integer('SESSION_MAX_INFLIGHT', 'sessionMaxInflight', 1, 1024, 32, 'Messages of one connection in work at once; reading pauses beyond'),
  integer('WS_MAX_BUFFERED_BYTES', 'wsMaxBufferedBytes', 16_384, 1_073_741_824, mebibyte, 'Unsent bytes at which a connection is closed as a slow consumer (4101)'),
  integer('HANDSHAKE_MAX_PER_SECOND', 'handshakeMaxPerSecond', 1, 100_000, 2000, 'New connections a second; more get 4503, half of it is the most for one tenant'),
  integer('HANDSHAKE_MAX_IN_PROGRESS', 'handshakeMaxInProgress', 1, 100_000, 2048, 'Connections authenticating at once; more get 4503, half of it is the most for one tenant'),

  integer('OFFLINE_BUFFER_MAX_MESSAGES_PER_USER', 'offlineBufferMaxMessagesPerUser', 0, 1_000_000, 128, 'Messages held for one offline user; 0: no offline buffer'),
  integer('OFFLINE_BUFFER_MAX_BYTES_PER_USER', 'offlineBufferMaxBytesPerUser', 0, 268_435_456, mebibyte, 'Bytes held for one offline user; 0: no offline buffer'),
  integer('OFFLINE_BUFFER_MAX_USERS_PER_TENANT', 'offlineBufferMaxUsersPerTenant', 1, 10_000_000, 10_000, 'Offline users of one tenant that messages are held for'),
  integer('OFFLINE_BUFFER_MAX_BYTES_PER_TENANT', 'offlineBufferMaxBytesPerTenant', 1, 1024 ** 4, 64 * mebibyte, 'Bytes held for the offline users of one tenant'),
  integer('OFFLINE_BUFFER_MAX_BYTES', 'offlineBufferMaxBytes', 1, 1024 ** 4, 256 * mebibyte, 'Bytes held for all offline users'),

  integer('GROUP_ROUTE_CHUNK_SIZE', 'groupRouteChunkSize', 1, 4096, 256, 'Members of a group whose routes are looked up at once'),
  integer('GROUP_MEMBERS_MAX_USERS', 'groupMembersMaxUsers', 1, 5_000_000, 200_000, 'Members of a group; a message to a larger one fails with `group too large`'),
  integer('GROUP_OFFLINE_BUFFER_MAX_USERS', 'groupOfflineBufferMaxUsers', 0, 1_000_000, 1024, 'Offline members that one group message is held for; 0: none'),

  integer('DEDUP_MAX_ENTRIES_PER_TENANT', 'dedupMaxEntriesPerTenant', 1, 100_000_000, 250_000, 'Messages of one tenant remembered against duplicates (10 minutes, oldest forgotten first)'),
  integer('DEDUP_MAX_ENTRIES', 'dedupMaxEntries', 1, 100_000_000, 1_000_000, 'Messages of all tenants remembered against duplicates'),
  integer('METRICS_MAX_TENANTS', 'metricsMaxTenants', 0, 10_000, 200, 'Tenants with a metric label of their own; the others share `other`'),
  integer('MESSAGE_TRACE_ENTRIES', 'messageTraceEntries', 0, 1_000_000, 10_000, 'Latest messages of which `mics trace-message` can tell what became of them, where CLUSTER_GRPC_TOKEN is set; 0: none'),
  integer('DRAIN_TIMEOUT_SECONDS', 'drainTimeoutSeconds', 0, 600, 10, 'Seconds over which a stopping node closes its connections'),
  integer('DRAIN_DELAY_SECONDS', 'drainDelaySeconds', 0, 600, 0, 'Seconds a stopping node first goes on as usual, `/readyz` already 503, for load balancers to notice'),

  text('REDIS__CONNECTION', 'redisUrl', 'redis', 'Redis for a cluster of nodes', { secret: true, defaultText: 'none: a single node' }),
  text('REDIS_URL', 'redisUrl', 'redis', 'The same as REDIS__CONNECTION', { secret: true, defaultText: 'none: a single node' }),
  integer('REDIS_TIMEOUT_MS', 'redisTimeoutMs', 50, 10_000, 500, 'Milliseconds for Redis to answer'),
  integer('REDIS_GRACE_SECONDS', 'redisGraceSeconds', 0, 86_400, 30, 'Seconds without Redis until `/readyz` answers 503'),
  boolean('ADMIT_WITHOUT_REDIS', 'admitWithoutRedis', true, 'Without Redis, let clients connect under the limits of this node alone; false: refuse them with 4503'),
  choice('DEDUP_STORE', 'dedupStore', ['redis', 'memory'], 'redis', 'Where a cluster remembers sent messages against duplicates; memory: each node its own'),
  integer('NODE_LEASE_SECONDS', 'nodeLeaseSeconds', 2, 60, 5, 'Seconds without a sign of life after which a node counts as gone, the same on all nodes'),
  integer('PEER_TIMEOUT_MS', 'peerTimeoutMs', 50, 60_000, 1000, 'Milliseconds for a peer to answer; five times that where it takes over offline messages'),
  integer('PEER_QUEUE_MAX_BYTES', 'peerQueueMaxBytes', 65_536, 1_073_741_824, 16 * mebibyte, 'Bytes waiting for one peer; half of it is the most for one tenant'),
  integer('LOCAL_ROUTE_CACHE_TTL_SECONDS', 'localRouteCacheTtlSeconds', 0, 60, 2, 'Seconds a route read from Redis is reused; 0: never'),
  integer('GRPC_BREAKER_FAILURE_THRESHOLD', 'grpcBreakerFailureThreshold', 1, 100, 5, 'Failures in a row that open the breaker of a peer'),
  integer('GRPC_BREAKER_OPEN_MS', 'grpcBreakerOpenMs', 0, 60_000, 5000, 'Milliseconds until the breaker of a peer lets one call through'),
  text('CLUSTER_GRPC_TOKEN', 'clusterGrpcTokens', 'tokens', 'Shared by all nodes: what a peer must present; a node with Redis needs it. Of several, the first is presented, any is accepted', { secret: true, defaultText: 'none' }),

  text('KAFKA__BOOTSTRAP_SERVERS', 'kafkaBrokers', 'kafka', 'Kafka brokers for events', { defaultText: 'none: no events' }),
  text('KAFKA_BROKERS', 'kafkaBrokers', 'kafka', 'The same as KAFKA__BOOTSTRAP_SERVERS', { defaultText: 'none: no events' }),
  choice('KAFKA_SECURITY_PROTOCOL', 'kafkaSecurityProtocol', ['plaintext', 'ssl', 'sasl_plaintext', 'sasl_ssl'], 'plaintext', 'How to talk to the brokers: ssl is TLS, sasl logs in'),
  choice('KAFKA_SASL_MECHANISM', 'kafkaSaslMechanism', ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'], '', 'How to log in to the brokers'),
  text('KAFKA_SASL_USERNAME', 'kafkaSaslUsername', 'credential', 'Who logs in to the brokers', { defaultText: 'none' }),
  text('KAFKA_SASL_PASSWORD', 'kafkaSaslPassword', 'credential', 'The password of KAFKA_SASL_USERNAME', { secret: true, defaultText: 'none' }),
  text('KAFKA_SSL_CA_FILE', 'kafkaSslCaFile', 'path', "PEM file of the CAs that sign the brokers' certificates", { defaultText: "the system's own" }),
  text('KAFKA_SSL_CERT_FILE', 'kafkaSslCertFile', 'path', "PEM file of this node's own certificate, where the brokers ask for one", { defaultText: 'none' }),
  text('KAFKA_SSL_KEY_FILE', 'kafkaSslKeyFile', 'path', 'PEM file of the private key of KAFKA_SSL_CERT_FILE', { defaultText: 'none' }),
  text('KAFKA_SSL_KEY_PASSWORD', 'kafkaSslKeyPassword', 'credential', 'The password of KAFKA_SSL_KEY_FILE', { secret: true, defaultText: 'none' }),

  text('KAFKA_EVENT_TOPIC', 'kafkaEventTopic', 'topic', "A tenant's topic of events", { default: 'im-mics-{tenant_id}-event' }),
  text('KAFKA_DLQ_TOPIC', 'kafkaDlqTopic', 'topic', "A tenant's topic of events that its own topic did not take (dead letters)", { default: 'im-mics-{tenant_id}-event-dlq' }),
  boolean('KAFKA_CREATE_TOPICS', 'kafkaCreateTopics', false, 'Create topics that do not exist; false: events for them fail'),
  integer('KAFKA_TOPIC_PARTITIONS', 'kafkaTopicPartitions', 0, 10_000, 0, "Partitions of a created topic; 0: the brokers' default"),
  integer('KAFKA_TOPIC_REPLICATION_FACTOR', 'kafkaTopicReplicationFactor', 0, 100, 0, "Replicas of a created topic; 0: the brokers' default"),

  choice('KAFKA_COMPRESSION', 'kafkaCompression', ['none', 'gzip', 'snappy', 'lz4', 'zstd'], 'lz4', 'How batches of events are compressed'),
  integer('KAFKA_DELIVERY_TIMEOUT_MS', 'kafkaDeliveryTimeoutMs', 1000, 300_000, 10_000, 'Milliseconds of one attempt to publish an event'),
  integer('KAFKA_MAX_ATTEMPTS', 'kafkaMaxAttempts', 1, 10, 3, 'Attempts to publish an event before it goes to the dead letter topic'),
  integer('KAFKA_RETRY_BACKOFF_MS', 'kafkaRetryBackoffMs', 0, 10_000, 50, 'Milliseconds before the second attempt to publish'),
  integer('KAFKA_QUEUE_CAPACITY', 'kafkaQueueCapacity', 1, 1_000_000, 50_000, 'Events waiting to be published'),
  integer('KAFKA_QUEUE_MAX_BYTES', 'kafkaQueueMaxBytes', 65_536, 1024 ** 4, 128 * mebibyte, 'Bytes of events waiting to be published'),
  integer('KAFKA_MAX_PENDING_PER_TENANT', 'kafkaMaxPendingPerTenant', 1, 1_000_000, 5000, 'Events of one tenant waiting to be published'),
  integer('KAFKA_MAX_PENDING_BYTES_PER_TENANT', 'kafkaMaxPendingBytesPerTenant', 65_536, 1024 ** 4, 16 * mebibyte, 'Bytes of events of one tenant waiting to be published'),
  integer('KAFKA_FLUSH_SECONDS', 'kafkaFlushSeconds', 0, 300, 5, 'Seconds that a stopping node has to publish the events still waiting'),
]

/** What a variable takes, for messages and docs: `a whole number from 0 to 65535`. */
export function takes (variable: EnvironmentVariable): string {
  switch (variable.type) {
    case 'integer': return `a whole number from ${variable.min} to ${variable.max}`
    case 'boolean': return 'true, false, 1 or 0'
    case 'choice': return `one of ${variable.choices.join(', ')}`
    case 'text': return textTakes[variable.format]
    case 'tenant-map': return `a JSON object such as ${tenantMapExamples[variable.values]}`
  }
}

/** The default as docs and help show it. */
export function defaultText (variable: EnvironmentVariable): string {
  if (variable.type === 'tenant-map') return 'none'
  if (variable.type === 'text') return variable.defaultText
  return String(variable.default) || 'none'
}

/** The row of a variable that is known to exist. */
export function environmentVariable (name: string): EnvironmentVariable {
  const found = environmentVariables.find(variable => variable.name === name)
  if (found === undefined) throw new Error(`${name} is not in the table of environment variables: add it to environment.ts`)
  return found
}

const textTakes: Record<TextFormat, string> = {
  'node-id': '1 to 128 letters, digits, dots, dashes, underscores or colons',
  host: 'a host name or an IP address',
  'base-url': 'an http or https URL without credentials, query or fragment',
  path: 'the path of a file',
  redis: 'host:port, or a URL such as redis://:password@host:6379/0; redis-sentinel:// and redis-cluster:// too, rediss for TLS',
  kafka: 'host:port, several separated by commas',
  topic: 'a topic name with {tenant_id} in it once, of letters, digits, dots, dashes and underscores, at most 100 besides',
  credential: '1 to 1024 characters, no control characters',
  tokens: `1 to 1024 printable ASCII characters without spaces and commas; up to ${mostTokens} such, separated by commas`,
  workers: `a whole number from 1 to ${mostWorkers}, or auto`,
}

const tenantMapExamples: Record<TenantMapValues, string> = {
  url: '{"acme":"http://hooks.acme.example:8081"}, or acme=http://hooks.acme.example:8081',
  secret: '{"acme":"a-long-random-secret"}, or acme=a-long-random-secret',
  integer: '{"acme":16} with whole numbers from 1 to 10000',
}

function integer (
  name: string, field: FieldOf<number>, min: number, max: number, byDefault: number, help: string
): EnvironmentVariable {
  return { type: 'integer', name, field, min, max, default: byDefault, help, secret: false }
}

function boolean (name: string, field: FieldOf<boolean>, byDefault: boolean, help: string): EnvironmentVariable {
  return { type: 'boolean', name, field, default: byDefault, help, secret: false }
}

function choice (
  name: string, field: FieldOf<string>, choices: readonly string[], byDefault: string, help: string
): EnvironmentVariable {
  return { type: 'choice', name, field, choices, default: byDefault, help, secret: false }
}

function text (
  name: string, field: FieldOf<string> | FieldOf<readonly string[]>, format: TextFormat, help: string,
  options: { default?: string, defaultText?: string, secret?: boolean } = {}
): EnvironmentVariable {
  const { default: byDefault = '', defaultText: shown = byDefault, secret = false } = options
  return { type: 'text', name, field, format, default: byDefault, defaultText: shown, help, secret }
}

function tenantMap (
  name: string, values: TenantMapValues, help: string, { secret = false, min = 0, max = 0 } = {}
): EnvironmentVariable {
  return { type: 'tenant-map', name, field: 'tenants', values, min, max, help, secret }
}
