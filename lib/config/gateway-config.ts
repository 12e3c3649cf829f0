import type { TracingConfig } from './tracing-config.js'

/** Everything the environment can say, validated, with defaults filled in. One field a variable. */
export interface GatewayConfig {
  /** This node's name in logs, metrics and ConnectAck. Default: the host name. */
  nodeId: string
  /** The URL under which peers reach this node's RPC port. Empty: see node-endpoint.ts. */
  publicEndpoint: string
  /** Where to listen for clients. */
  host: string
  port: number
  /** Where to listen for peers (node RPC). */
  nodePort: number
  /** How many processes share `port`, in digits, or `auto`; worker-count.ts has the number. */
  workers: string
  logLevel: string

  /** Empty: this node is alone. */
  redisUrl: string
  /** Empty: no events are published. */
  kafkaBrokers: string

  /** Tenants given by TENANT_AUTH_MAP and its companions; empty where a tenants file is used. */
  tenants: TenantConfig[]
  /** Path of a YAML or JSON file of tenants, reloaded when it changes. Empty: none. */
  tenantsFile: string

  /** Defaults of the hook settings, for tenants that set none. */
  hookSignRequired: boolean
  hookMaxConcurrency: number
  hookQueueTimeoutMs: number
  hookBreakerFailureThreshold: number
  hookBreakerOpenMs: number

  /** Seconds between WebSocket pings; 0: none. */
  wsKeepaliveIntervalSeconds: number
  /** Largest msg_body. A frame may be 64 KiB larger. */
  maxMessageBytes: number
  /** Messages of one connection that may be in the pipeline at once. */
  sessionMaxInflight: number
  /** Unsent bytes at which a connection counts as a slow consumer. */
  wsMaxBufferedBytes: number
  /** Connections this node accepts a second, and may be authenticating at once; at most half are one tenant's. */
  handshakeMaxPerSecond: number
  handshakeMaxInProgress: number

  offlineBufferMaxMessagesPerUser: number
  offlineBufferMaxBytesPerUser: number
  offlineBufferMaxUsersPerTenant: number
  offlineBufferMaxBytesPerTenant: number
  offlineBufferMaxBytes: number

  groupRouteChunkSize: number
  groupMembersMaxUsers: number
  groupOfflineBufferMaxUsers: number

  /** Remembered messages (10 minutes, oldest forgotten first), of one tenant and of the node. */
  dedupMaxEntriesPerTenant: number
  dedupMaxEntries: number

  /** Tenants that get a label value of their own in metrics; the others share `other`. */
  metricsMaxTenants: number

  /** Messages of which is known what became of them; 0: none. */
  messageTraceEntries: number

  /** Milliseconds for Redis to answer. */
  redisTimeoutMs: number
  /** Seconds without Redis until /readyz says so. */
  redisGraceSeconds: number
  /** Whether clients may connect while Redis is gone. */
  admitWithoutRedis: boolean
  /** `redis` or `memory`. */
  dedupStore: string
  /** Seconds that a node counts as alive after its last sign of life. */
  nodeLeaseSeconds: number
  /** Milliseconds for a peer to answer. */
  peerTimeoutMs: number
  /** Bytes waiting for one peer. */
  peerQueueMaxBytes: number
  localRouteCacheTtlSeconds: number

  /** `plaintext`, `ssl`, `sasl_plaintext` or `sasl_ssl`. */
  kafkaSecurityProtocol: string
  /** `PLAIN`, `SCRAM-SHA-256` or `SCRAM-SHA-512`. Empty, like the two below: the protocol has no SASL. */
  kafkaSaslMechanism: string
  kafkaSaslUsername: string
  kafkaSaslPassword: string
  /** Paths of PEM files. Empty: the system's CAs, no certificate of one's own. */
  kafkaSslCaFile: string
  kafkaSslCertFile: string
  kafkaSslKeyFile: string
  kafkaSslKeyPassword: string
  /** Topic names with `{tenant_id}` in them; topic-names.ts fills it in. */
  kafkaEventTopic: string
  kafkaDlqTopic: string
  /** Whether a topic that does not exist is created, and how; 0: as the brokers do by default. */
  kafkaCreateTopics: boolean
  kafkaTopicPartitions: number
  kafkaTopicReplicationFactor: number
  /** `none`, `gzip`, `snappy`, `lz4` or `zstd`. */
  kafkaCompression: string
  /** Milliseconds of one attempt to publish. */
  kafkaDeliveryTimeoutMs: number
  kafkaMaxAttempts: number
  kafkaRetryBackoffMs: number
  /** Events waiting to be published, of this node and of one tenant. */
  kafkaQueueCapacity: number
  kafkaQueueMaxBytes: number
  kafkaMaxPendingPerTenant: number
  kafkaMaxPendingBytesPerTenant: number
  /** Seconds that a stopping node has to publish what is still queued. */
  kafkaFlushSeconds: number

  grpcBreakerFailureThreshold: number
  grpcBreakerOpenMs: number
  /** The first is presented to peers, any is accepted from them. Empty: there are no peers. */
  clusterGrpcTokens: readonly string[]
  /** Seconds that closing the connections of a stopping node is spread over. */
  drainTimeoutSeconds: number
  /** Seconds that a stopping node goes on as usual before that, only /readyz being 503. */
  drainDelaySeconds: number

  /** Undefined: nothing is traced. */
  tracing: TracingConfig | undefined
}

/** One tenant as the operator configures it. */
export interface TenantConfig {
  id: string
  /** Base URL of the /auth hook; http or https. */
  authUrl: string
  /** Signs /auth, and the other hooks where the tenant's runtime config has no secret. Empty: unsigned. */
  secret: string
  /** Overrides HOOK_MAX_CONCURRENCY. */
  hookMaxConcurrency?: number
  /** What holds where the auth hook's TenantRuntimeConfig is silent. */
  defaults?: Partial<TenantSettings>
  /** The most that TenantRuntimeConfig may ask for. A limit of 0 (none) becomes the cap. */
  caps?: Partial<Pick<TenantSettings, CappedSetting>>
}

export type CappedSetting =
  | 'heartbeatTimeoutSeconds' | 'offlineBufferTtlSeconds'
  | 'tenantMaxConnections' | 'userMaxConnections' | 'tenantMaxMessageQps'
  | 'hookMaxConcurrency' | 'hookQueueTimeoutMs' | 'hookBreakerOpenMs'

/** TenantRuntimeConfig after defaults and caps: what actually holds for a connection. */
export interface TenantSettings {
  /** Base URL of the hooks other than /auth. */
  hookBaseUrl: string
  heartbeatTimeoutSeconds: number
  offlineBufferTtlSeconds: number
  /** 0: no limit; so are the next two. */
  tenantMaxConnections: number
  userMaxConnections: number
  tenantMaxMessageQps: number
  /** Signs the hooks other than /auth. Empty: they go unsigned. */
  tenantSecret: string
  hookMaxConcurrency: number
  hookQueueTimeoutMs: number
  hookBreakerFailureThreshold: number
  hookBreakerOpenMs: number
  hookSignRequired: boolean
  offlineUseHookPull: boolean
  checkMessageFailClosed: boolean
  checkMessageDisabled: boolean
  syncSenderDevices: boolean
  /** Messages that the check hook is asked about at once. Below 2: about each by itself. */
  checkBatchMaxMessages: number
  /** Milliseconds that a message may wait for others while a call is on its way. */
  checkBatchMaxWaitMs: number
}
