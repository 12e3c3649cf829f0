import { create, type MessageInitShape } from '@bufbuild/protobuf'
import t from 'tap'
import type { TenantConfig } from '../../lib/config/gateway-config.js'
import { TenantRuntimeConfigSchema, type TenantRuntimeConfig } from '../../lib/gen/mics/hook/v1/hook_pb.js'
import { InvalidRuntimeConfigError, Tenant } from '../../lib/tenants/tenant.js'

const gateway = {
  hookSignRequired: false,
  hookMaxConcurrency: 32,
  hookQueueTimeoutMs: 10,
  hookBreakerFailureThreshold: 5,
  hookBreakerOpenMs: 5000,
}

function tenant (config: Partial<TenantConfig> = {}): Tenant {
  return new Tenant({ id: 'acme', authUrl: 'http://auth', secret: 'tenant-secret', ...config }, gateway)
}

function runtime (init: MessageInitShape<typeof TenantRuntimeConfigSchema> = {}): TenantRuntimeConfig {
  return create(TenantRuntimeConfigSchema, init)
}

t.test('a tenant that says nothing gets the gateway\'s settings', async t => {
  const expected = {
    hookBaseUrl: 'http://auth',
    tenantSecret: 'tenant-secret',
    heartbeatTimeoutSeconds: 30,
    offlineBufferTtlSeconds: 300,
    tenantMaxConnections: 0,
    userMaxConnections: 0,
    tenantMaxMessageQps: 0,
    hookMaxConcurrency: 32,
    hookQueueTimeoutMs: 10,
    hookBreakerFailureThreshold: 5,
    hookBreakerOpenMs: 5000,
    hookSignRequired: false,
    offlineUseHookPull: false,
    checkMessageFailClosed: false,
    checkMessageDisabled: false,
    syncSenderDevices: true,
    checkBatchMaxMessages: 0,
    checkBatchMaxWaitMs: 0,
  }
  t.strictSame({ ...tenant().settingsFor(undefined) }, expected)
  t.strictSame({ ...tenant().settingsFor(runtime()) }, expected)
})

t.test('the auth hook\'s word goes before the tenant\'s defaults, and those before the gateway\'s', async t => {
  const acme = tenant({
    hookMaxConcurrency: 8,
    defaults: { heartbeatTimeoutSeconds: 60, userMaxConnections: 5, hookBaseUrl: 'http://base', tenantSecret: 'default-secret', hookSignRequired: true },
  })
  t.match(acme.settingsFor(runtime()), {
    heartbeatTimeoutSeconds: 60,
    userMaxConnections: 5,
    hookBaseUrl: 'http://base',
    tenantSecret: 'default-secret',
    hookSignRequired: true,
    hookMaxConcurrency: 8,
    hookQueueTimeoutMs: 10,
  })
  t.match(acme.settingsFor(runtime({
    heartbeatTimeoutSeconds: 90,
    userMaxConnections: 7,
    hookBaseUrl: 'https://runtime/base/',
    tenantSecret: 'runtime-secret',
    hookSignRequired: false,
    hookMaxConcurrency: 4,
    syncSenderDevices: false,
    checkMessageDisabled: true,
  })), {
    heartbeatTimeoutSeconds: 90,
    userMaxConnections: 7,
    hookBaseUrl: 'https://runtime/base/',
    tenantSecret: 'runtime-secret',
    hookSignRequired: false,
    hookMaxConcurrency: 4,
    syncSenderDevices: false,
    checkMessageDisabled: true,
  })
})

t.test('the defaults\' concurrency goes before the tenant\'s own', async t => {
  const acme = tenant({ hookMaxConcurrency: 8, defaults: { hookMaxConcurrency: 6 } })
  t.equal(acme.settingsFor(undefined).hookMaxConcurrency, 6)
})

t.test('a present zero is meant where it makes sense, else it is the default', async t => {
  t.match(tenant().settingsFor(runtime({
    hookMaxConcurrency: 0,
    hookBreakerFailureThreshold: 0,
    hookQueueTimeoutMs: 0,
    hookBreakerOpenMs: 0,
  })), {
    hookMaxConcurrency: 32,
    hookBreakerFailureThreshold: 5,
    hookQueueTimeoutMs: 0,
    hookBreakerOpenMs: 1,
  })
})

t.test('checks are batched as the auth hook says, else the tenant\'s defaults, within what the gateway can', async t => {
  const acme = tenant({ defaults: { checkBatchMaxMessages: 16, checkBatchMaxWaitMs: 5 } })
  t.match(acme.settingsFor(runtime()), { checkBatchMaxMessages: 16, checkBatchMaxWaitMs: 5 })
  t.match(acme.settingsFor(runtime({ checkBatchMaxMessages: 0, checkBatchMaxWaitMs: 0 })),
    { checkBatchMaxMessages: 0, checkBatchMaxWaitMs: 0 }, 'none, and no wait')
  t.match(acme.settingsFor(runtime({ checkBatchMaxMessages: 256, checkBatchMaxWaitMs: 50 })),
    { checkBatchMaxMessages: 256, checkBatchMaxWaitMs: 50 })
  t.match(acme.settingsFor(runtime({ checkBatchMaxMessages: 257, checkBatchMaxWaitMs: 2147483647 })),
    { checkBatchMaxMessages: 256, checkBatchMaxWaitMs: 50 }, 'what is too much is the most there is')
})

t.test('caps bound what the auth hook asks for, and what nobody limited', async t => {
  const acme = tenant({
    caps: {
      heartbeatTimeoutSeconds: 45,
      offlineBufferTtlSeconds: 100,
      tenantMaxConnections: 1000,
      userMaxConnections: 10,
      hookQueueTimeoutMs: 5,
    },
  })
  t.match(acme.settingsFor(undefined), {
    heartbeatTimeoutSeconds: 30,
    offlineBufferTtlSeconds: 100,
    tenantMaxConnections: 1000,
    userMaxConnections: 10,
    tenantMaxMessageQps: 0,
    hookQueueTimeoutMs: 5,
  })
  t.match(acme.settingsFor(runtime({
    heartbeatTimeoutSeconds: 600,
    tenantMaxConnections: 5000,
    userMaxConnections: 3,
    hookQueueTimeoutMs: 0,
  })), {
    heartbeatTimeoutSeconds: 45,
    tenantMaxConnections: 1000,
    userMaxConnections: 3,
    hookQueueTimeoutMs: 0,
  })
})

t.test('a setting that cannot hold is refused by its name in the protocol', async t => {
  const bad: [MessageInitShape<typeof TenantRuntimeConfigSchema>, string][] = [
    [{ heartbeatTimeoutSeconds: -1 }, 'heartbeat_timeout_seconds'],
    [{ offlineBufferTtlSeconds: -1 }, 'offline_buffer_ttl_seconds'],
    [{ tenantMaxConnections: -5 }, 'tenant_max_connections'],
    [{ userMaxConnections: -5 }, 'user_max_connections'],
    [{ tenantMaxMessageQps: -5 }, 'tenant_max_message_qps'],
    [{ hookMaxConcurrency: -1 }, 'hook_max_concurrency'],
    [{ hookQueueTimeoutMs: -1 }, 'hook_queue_timeout_ms'],
    [{ hookBreakerFailureThreshold: -1 }, 'hook_breaker_failure_threshold'],
    [{ hookBreakerOpenMs: -1 }, 'hook_breaker_open_ms'],
    [{ checkBatchMaxMessages: -1 }, 'check_batch_max_messages'],
    [{ checkBatchMaxWaitMs: -1 }, 'check_batch_max_wait_ms'],
    [{ hookBaseUrl: 'file:///etc/passwd' }, 'hook_base_url'],
  ]
  for (const [init, field] of bad) {
    try {
      tenant().settingsFor(runtime(init))
      t.fail(`${field} was taken`)
    } catch (error) {
      t.ok(error instanceof InvalidRuntimeConfigError)
      t.equal((error as InvalidRuntimeConfigError).field, field)
      t.match((error as Error).message, `TenantRuntimeConfig.${field} `)
    }
  }
})

t.test('the same runtime object gives the identical settings', async t => {
  const acme = tenant()
  const config = runtime({ heartbeatTimeoutSeconds: 10 })
  t.equal(acme.settingsFor(config), acme.settingsFor(config))
  t.equal(acme.settingsFor(undefined), acme.settingsFor(undefined))
  t.not(acme.settingsFor(config), tenant().settingsFor(config), 'another tenant has its own')
  t.throws(() => { acme.settingsFor(config).heartbeatTimeoutSeconds = 1 }, TypeError, 'nobody changes them for all')
})
