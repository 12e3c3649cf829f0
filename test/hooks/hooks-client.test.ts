import { fromBinary } from '@bufbuild/protobuf'
import t, { type Test } from 'tap'
import { loadConfig } from '../../lib/config/load-config.js'
import type { TenantConfig, TenantSettings } from '../../lib/config/gateway-config.js'
import {
  AuthRequestSchema, CheckMessageRequestSchema, GetGroupMembersRequestSchema, GetOfflineMessagesRequestSchema,
} from '../../lib/gen/mics/hook/v1/hook_pb.js'
import { HooksClient } from '../../lib/hooks/hooks-client.js'
import type { HookResult } from '../../lib/hooks/hook-failure.js'
import { ThrottledLog } from '../../lib/log/throttled-log.js'
import { GatewayMetrics } from '../../lib/metrics/gateway-metrics.js'
import { Tenants } from '../../lib/tenants/tenants.js'
import { HookServer } from '../helpers/hook-server.js'
import { samplesOf } from '../helpers/samples.js'
import { aMessage } from '../helpers/message.js'

const TRACE = 'f00d'

const message = aMessage({ timestampMs: 1700000000000n })

interface Setting {
  client: HooksClient
  hooks: HookServer
  tenants: Tenants
  settings: TenantSettings
  /** What was logged: message and fields. */
  lines: Array<{ message: string, fields: Record<string, unknown> }>
  counted: (operation: string, result: string) => number
  check: () => Promise<string>
}

async function start (t: Test, changes: Partial<TenantSettings> = {}): Promise<Setting> {
  const hooks = await HookServer.start()
  const config: TenantConfig = { id: 't1', authUrl: hooks.url, secret: 'test-secret', defaults: changes }
  const gateway = loadConfig({ NODE_ID: 'n', TENANT_AUTH_MAP: JSON.stringify({ t1: hooks.url }) })
  const tenants = new Tenants(gateway, [config])
  const metrics = new GatewayMetrics(10)
  const lines: Setting['lines'] = []
  const client = new HooksClient({
    tenants,
    metrics,
    throttledLog: new ThrottledLog(60_000),
    warn: (fields, message) => lines.push({ message, fields: fields as Record<string, unknown> }),
    now: () => 1700000000123,
  })
  t.teardown(async () => {
    await client.close()
    await hooks.close()
    metrics.close()
  })
  const settings = (tenants.get('t1') as NonNullable<ReturnType<Tenants['get']>>).settingsFor(undefined)
  return {
    client,
    hooks,
    tenants,
    settings,
    lines,
    counted: (operation, result) => {
      const found = samplesOf(metrics, 'mics_hook_calls_total').find(({ labels }) => labels.operation === operation && labels.result === result)
      return found?.value ?? 0
    },
    check: async () => kindOf(await client.checkMessage(settings, message, TRACE)),
  }
}

function kindOf (result: HookResult<unknown>): string {
  return result.ok ? 'ok' : result.failure.kind
}

t.test('each operation asks its question and gets its answer', async t => {
  const { client, hooks, settings } = await start(t)
  hooks.groups.set('g', ['alice', 'bob'])
  hooks.offline = () => ({ ok: true, messages: [message], nextCursor: 'c2', hasMore: true })
  const page = { userId: 'alice', deviceId: 'd1', maxMessages: 10, cursor: 'c1' }

  t.match(await client.auth('t1', settings, 'valid:alice', 'd1', TRACE), { ok: true, value: { ok: true, userId: 'alice' } })
  t.match(await client.checkMessage(settings, message, TRACE), { ok: true, value: { allow: true } })
  const members = await client.getGroupMembers(settings, { ...message, groupId: 'g' }, TRACE)
  t.same(members.ok && members.value.take(10), ['alice', 'bob'])
  t.match(await client.getOfflineMessages(settings, 't1', page, TRACE),
    { ok: true, value: { ok: true, nextCursor: 'c2', hasMore: true } })

  const [auth, check, group, offline] = hooks.calls.map(({ body }) => body)
  t.match(fromBinary(AuthRequestSchema, auth), { token: 'valid:alice', deviceId: 'd1' })
  const checked = fromBinary(CheckMessageRequestSchema, check).message
  t.match(checked, { ...message, msgBody: Buffer })
  t.equal(Buffer.from(checked?.msgBody ?? []).toString(), 'hello')
  t.match(fromBinary(GetGroupMembersRequestSchema, group), { groupId: 'g' })
  t.match(fromBinary(GetOfflineMessagesRequestSchema, offline), page)
  for (const { meta } of hooks.calls) {
    t.match(meta, { tenantId: 't1', traceId: TRACE, timestampMs: 1700000000123n })
  }
})

t.test('a no is an answer, counted as one, and does not open the breaker', async t => {
  const { client, hooks, settings, counted } = await start(t, { hookBreakerFailureThreshold: 1 })
  hooks.check = () => ({ allow: false, reason: 'spam' })
  hooks.offline = () => ({ ok: false })
  const page = { userId: 'a', deviceId: 'd', maxMessages: 1, cursor: '' }
  for (let i = 0; i < 3; i++) {
    t.match(await client.auth('t1', settings, 'stolen', 'd1', TRACE),
      { ok: true, value: { ok: false, reason: 'invalid token' } })
    t.match(await client.checkMessage(settings, message, TRACE), { ok: true, value: { allow: false, reason: 'spam' } })
    t.match(await client.getOfflineMessages(settings, 't1', page, TRACE), { ok: true, value: { ok: false } })
  }
  for (const operation of ['auth', 'check-message', 'get-offline-messages']) {
    t.equal(counted(operation, 'denied'), 3)
    t.equal(counted(operation, 'ok'), 0)
  }
})

t.test('waiting for a slot uses up the time of the call', async t => {
  const { hooks, check } = await start(t, { hookMaxConcurrency: 1, hookQueueTimeoutMs: 10_000 })
  hooks.check = () => new Promise(() => {})
  const [first, ...waited] = await Promise.all([check(), check(), check()])
  t.equal(first, 'timeout')
  // Whether a last millisecond is left to ask in is chance; a wait that left none is the queue's failure.
  for (const kind of waited) t.ok(kind === 'timeout' || kind === 'queue_full', kind)
  t.ok(hooks.callsOf('check-message').length < 3, 'the last had no time left to ask at all')
})

t.test('beyond the limit calls wait, and beyond their patience they are refused', async t => {
  const { hooks, check, counted } = await start(t, { hookMaxConcurrency: 2, hookQueueTimeoutMs: 1 })
  let answer = (): void => {}
  const gate = new Promise<void>(resolve => { answer = resolve })
  hooks.check = async () => {
    await gate
    return { allow: true }
  }
  const calls = Array.from({ length: 5 }, check)
  t.same(await Promise.all(calls.slice(2)), ['queue_full', 'queue_full', 'queue_full'])
  answer()
  t.same(await Promise.all(calls.slice(0, 2)), ['ok', 'ok'])
  t.equal(hooks.callsOf('check-message').length, 2)
  t.equal(counted('check-message', 'queue_full'), 3)
  t.equal(await check(), 'ok', 'its places are free again')
})

t.test('calls refused for lack of a slot are no failures of the hook', async t => {
  const { hooks, check } =
    await start(t, { hookMaxConcurrency: 1, hookQueueTimeoutMs: 0, hookBreakerFailureThreshold: 2 })
  let answer = (): void => {}
  const gate = new Promise<void>(resolve => { answer = resolve })
  hooks.check = async () => {
    await gate
    return { allow: true }
  }
  const first = check()
  t.same(await Promise.all([check(), check(), check()]), ['queue_full', 'queue_full', 'queue_full'])
  answer()
  t.equal(await first, 'ok')
  t.equal(await check(), 'ok', 'the breaker is closed')
})

t.test('a tenant that goes takes its calls along, those that wait included', async t => {
  const { client, hooks, tenants, settings, check } =
    await start(t, { hookMaxConcurrency: 1, hookQueueTimeoutMs: 10_000 })
  const arrived = new Promise<void>(resolve => {
    hooks.check = () => {
      resolve()
      return new Promise(() => {})
    }
  })
  const calls = [check(), check(), check()]
  await arrived
  tenants.replaceAll([])
  t.notOk((await Promise.all(calls)).includes('ok'))
  t.equal(hooks.callsOf('check-message').length, 1)
  t.equal(await check(), 'tenant_gone')
  t.equal(kindOf(await client.auth('t1', settings, 'valid:alice', 'd1', TRACE)), 'tenant_gone')
})

t.test('a tenant that returns starts with a closed breaker', async t => {
  const { hooks, tenants, check } = await start(t, { hookBreakerFailureThreshold: 1 })
  const config = tenants.get('t1')!.config
  hooks.raw.set('check-message', response => response.writeHead(500).end())
  t.equal(await check(), 'status')
  t.equal(await check(), 'breaker_open')
  tenants.replaceAll([])
  tenants.replaceAll([config])
  hooks.raw.clear()
  t.equal(await check(), 'ok')
})

t.test('failures are logged once for many, with what is needed and no secret', async t => {
  const { client, hooks, settings, lines } = await start(t, { hookBreakerFailureThreshold: 100 })
  hooks.raw.set('auth', response => response.writeHead(500).end('stack trace'))
  for (let i = 0; i < 20; i++) await client.auth('t1', settings, 'valid:token-of-alice', 'd1', TRACE)
  t.equal(lines.length, 1)
  t.match(lines[0], {
    message: 'hook call failed',
    fields: { tenantId: 't1', operation: 'auth', failure: 'status', traceId: TRACE },
  })
  t.notMatch(JSON.stringify(lines), /token-of-alice|test-secret|stack trace/)
})

t.test('the log says what to do where a hook server refuses the gateway\'s signature', async t => {
  const { client, hooks, settings, lines } = await start(t)
  hooks.raw.set('auth', response => response.writeHead(401).end('not for a log'))
  await client.auth('t1', settings, 'valid:alice', 'd1', TRACE)
  t.match(lines, [{ fields: { failure: 'status', reason: /^HTTP status 401: .*same secret/ } }])
  t.notMatch(JSON.stringify(lines), /not for a log/)
})

t.test('after close no call is made and none hangs', async t => {
  const { client, hooks, check } = await start(t)
  t.equal(await check(), 'ok')
  hooks.check = () => new Promise(() => {})
  const calls = [check(), check()]
  await client.close()
  t.notOk((await Promise.all(calls)).includes('ok'))
})
