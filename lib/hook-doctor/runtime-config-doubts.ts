import type { TenantSettings } from '../config/gateway-config.js'
import type { TenantRuntimeConfig } from '../gen/mics/hook/v1/hook_pb.js'
import { HOOK_TIMEOUT_MS, MAX_CALLS_AT_ONCE } from '../hooks/hooks-client.js'
import { MAX_CHECK_BATCH_MESSAGES, MAX_CHECK_BATCH_WAIT_MS } from '../tenants/tenant.js'
import type { Problem, Verdict } from './finding.js'

type Doubt = Problem & { result: Extract<Verdict, 'warn' | 'fail'> }

/** Settings that the gateway takes and that can hardly be meant. */
export function runtimeConfigDoubts (config: TenantRuntimeConfig, settings: TenantSettings, authUrl: string): Doubt[] {
  const doubts: Doubt[] = []
  const warn = (seen: string, advice: string): void => { doubts.push({ result: 'warn', seen, advice }) }

  const { heartbeatTimeoutSeconds: heartbeat, offlineBufferTtlSeconds: ttl } = config
  if (heartbeat > 0 && heartbeat < 10) {
    warn(`heartbeat_timeout_seconds ${heartbeat}: a phone that changes networks is disconnected`, 'give 10 or more; clients send a heartbeat every third of it')
  }
  if (heartbeat > 300) warn(`heartbeat_timeout_seconds ${heartbeat}: dead connections are noticed that late`, 'give 300 or less; it is in seconds')
  if (ttl > 86_400) warn(`offline_buffer_ttl_seconds ${ttl}: the buffer is memory, and no store`, 'give a day at most; it is in seconds. To keep messages, use offline_use_hook_pull')

  const { tenantMaxConnections, userMaxConnections, tenantMaxMessageQps } = config
  if (tenantMaxConnections > 0 && tenantMaxConnections < userMaxConnections) {
    warn(`tenant_max_connections ${tenantMaxConnections} is less than user_max_connections ${userMaxConnections}`, 'see whether the two are mixed up')
  }
  if (userMaxConnections === 1) warn('user_max_connections 1: a user\'s second device is refused with 4429', 'give as many as a user has devices')
  if (tenantMaxMessageQps > 0 && tenantMaxMessageQps < 10) {
    warn(`tenant_max_message_qps ${tenantMaxMessageQps} holds for all clients of the tenant together`, 'give what all of them send in a busy second')
  }

  const { hookMaxConcurrency = 0, hookQueueTimeoutMs = 0, hookBreakerFailureThreshold = 0, hookBreakerOpenMs } = config
  if (hookMaxConcurrency > MAX_CALLS_AT_ONCE) warn(`hook_max_concurrency ${hookMaxConcurrency}`, `${MAX_CALLS_AT_ONCE} is the most that is used`)
  if (hookMaxConcurrency > 0 && hookMaxConcurrency < 4) {
    warn(`hook_max_concurrency ${hookMaxConcurrency}: a slow call holds up all the others`, 'give as many calls as the server can answer at once')
  }
  if (hookQueueTimeoutMs >= HOOK_TIMEOUT_MS) {
    warn(`hook_queue_timeout_ms ${hookQueueTimeoutMs}: the wait is part of the ${HOOK_TIMEOUT_MS} ms of a call`, 'give less, such as 10')
  }
  if (hookBreakerFailureThreshold === 1) warn('hook_breaker_failure_threshold 1: a single slow call opens the breaker', 'give 5 or so')
  if (hookBreakerFailureThreshold > 1000) warn(`hook_breaker_failure_threshold ${hookBreakerFailureThreshold}: the breaker will hardly open`, 'give 5 or so')
  if (hookBreakerOpenMs !== undefined && hookBreakerOpenMs < 100) {
    warn(`hook_breaker_open_ms ${hookBreakerOpenMs}: a server that is down gets calls all the time`, 'give 5000 or so; it is in milliseconds')
  }
  if (hookBreakerOpenMs !== undefined && hookBreakerOpenMs > 60_000) {
    warn(`hook_breaker_open_ms ${hookBreakerOpenMs}: so long nobody is served after the server is well again`, 'give 5000 or so; it is in milliseconds')
  }

  if (config.checkMessageDisabled && config.checkMessageFailClosed) {
    warn('check_message_disabled and check_message_fail_closed are both set', '/check-message is not called then; leave one of them out')
  }
  const { checkBatchMaxMessages = 0, checkBatchMaxWaitMs = 0 } = config
  if (checkBatchMaxMessages === 1) warn('check_batch_max_messages 1: messages are checked one by one', 'give 16 or more, or leave it out')
  if (checkBatchMaxMessages > MAX_CHECK_BATCH_MESSAGES) {
    warn(`check_batch_max_messages ${checkBatchMaxMessages}`, `${MAX_CHECK_BATCH_MESSAGES} is the most that is used`)
  }
  if (checkBatchMaxWaitMs > MAX_CHECK_BATCH_WAIT_MS) {
    warn(`check_batch_max_wait_ms ${checkBatchMaxWaitMs}`, `${MAX_CHECK_BATCH_WAIT_MS} is the most that is used: the wait is part of the ${HOOK_TIMEOUT_MS} ms of a call`)
  }
  if (checkBatchMaxWaitMs > 0 && settings.checkBatchMaxMessages < 2) {
    warn('check_batch_max_wait_ms is set without check_batch_max_messages', 'set both, or leave it out: messages are checked one by one')
  }
  if (checkBatchMaxMessages > 1 && config.checkMessageDisabled) {
    warn('check_message_disabled and check_batch_max_messages are both set', 'no message is checked then; leave one of them out')
  }
  if (config.tenantSecret !== '' && config.tenantSecret.length < 16) {
    warn(`tenant_secret has ${config.tenantSecret.length} characters`, 'use at least 16 random ones')
  }
  if (settings.hookSignRequired && settings.tenantSecret === '') {
    doubts.push({
      result: 'fail',
      seen: 'hook_sign_required is set, and no secret is known',
      advice: 'give tenant_secret, or have the operator set the tenant\'s secret (--secret-file here): until then no hook is called and no message is sent',
    })
  }
  const hooks = new URL(settings.hookBaseUrl)
  const auth = new URL(authUrl)
  if (auth.protocol === 'https:' && hooks.protocol === 'http:') {
    warn('hook_base_url is http:// while /auth is at https://', 'use https:// for both: messages go to these hooks')
  }
  if (isLoopback(hooks) && !isLoopback(auth)) {
    doubts.push({
      result: 'fail',
      seen: `hook_base_url is at ${hooks.hostname}, which to the gateway is the gateway's own machine`,
      advice: 'give the name under which the gateway reaches the server',
    })
  }
  return doubts
}

function isLoopback ({ hostname }: URL): boolean {
  return hostname === 'localhost' || hostname.startsWith('127.') || hostname === '[::1]'
}
