import { fromBinary } from '@bufbuild/protobuf'
import t, { type Test } from 'tap'
import { loadConfig } from '../../lib/config/load-config.js'
import type { TenantConfig, TenantSettings } from '../../lib/config/gateway-config.js'
import { CheckMessagesRequestSchema } from '../../lib/gen/mics/hook/v1/hook_pb.js'
import { HooksClient } from '../../lib/hooks/hooks-client.js'
import { ThrottledLog } from '../../lib/log/throttled-log.js'
import { GatewayMetrics } from '../../lib/metrics/gateway-metrics.js'
import type { Message } from '../../lib/protocol/message.js'
import { Tenants } from '../../lib/tenants/tenants.js'
import { expectedSign, expectedSignatureHeader, HookServer, type HookCall } from '../helpers/hook-server.js'
import { aMessage } from '../helpers/message.js'
import { samplesOf } from '../helpers/samples.js'
import { until } from '../helpers/until.js'

const TRACE = 'f00d'
const SECRET = 'test-secret'

/** Milliseconds for a call where it is not the test's subject: the hook server shares this busy process. */
const PATIENT = 20_000

interface Setting {
  client: HooksClient
  hooks: HookServer
  tenants: Tenants
  settings: TenantSettings
  lines: Array<{ message: string, fields: Record<string, unknown> }>
  /** Asks about a message whose id is this. */
  check: (msgId: string, fields?: Partial<Message>, settings?: TenantSettings) => Promise<string>
  /** The ids of the messages of each call so far. */
  asked: () => string[][]
  counted: (result: string) => number
  batchSizes: () => Array<[string, number]>
}

async function start (t: Test, changes: Partial<TenantSettings> = {}): Promise<Setting> {
  const hooks = await HookServer.start()
  const config: TenantConfig = {
    id: 't1', authUrl: hooks.url, secret: SECRET, defaults: { checkBatchMaxMessages: 16, hookQueueTimeoutMs: 10_000, ...changes },
  }
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
  client.timeoutMs = PATIENT
  t.teardown(async () => {
    await client.close()
    await hooks.close()
    metrics.close()
  })
  const settings = tenants.get('t1')!.settingsFor(undefined)
  return {
    client,
    hooks,
    tenants,
    settings,
    lines,
    check: async (msgId, fields = {}, own = settings) => {
      const result = await client.checkMessage(own, aMessage({ msgId, ...fields }), TRACE)
      if (!result.ok) return result.failure.kind
      return result.value.allow ? 'ok' : result.value.reason
    },
    asked: () => hooks.callsOf('check-messages').map(idsOf),
    counted: result => samplesOf(metrics, 'mics_hook_calls_total')
      .find(({ labels }) => labels.operation === 'check-messages' && labels.result === result)?.value ?? 0,
    batchSizes: () => samplesOf(metrics, 'mics_hook_batch_messages')
      .filter(({ labels }) => 'le' in labels).map(({ labels, value }) => [String(labels.le), value]),
  }
}

function idsOf ({ body }: HookCall): string[] {
  return fromBinary(CheckMessagesRequestSchema, body).messages.map(({ msgId }) => msgId)
}

/** Ids of messages. */
function ids (count: number, from = 0): string[] {
  return Array.from({ length: count }, (_, i) => `m${from + i}`)
}

/** A hook that answers when told to. */
function gated (hooks: HookServer): { open: () => void } {
  let open = (): void => {}
  const gate = new Promise<void>(resolve => { open = resolve })
  hooks.check = async () => {
    await gate
    return { allow: true }
  }
  return { open }
}

t.test('messages that come together are asked about with one call, and each gets its own verdict', async t => {
  const { hooks, check, asked } = await start(t)
  hooks.check = ({ message }) => message?.msgId === 'm1' ? { allow: false, reason: 'spam' } : { allow: true }
  t.same(await Promise.all(ids(3).map(id => check(id))), ['ok', 'spam', 'ok'])
  t.same(asked(), [['m0', 'm1', 'm2']])
  t.equal(hooks.callsOf('check-message').length, 0)
})

t.test('the call says which messages, and is signed as any other', async t => {
  const { hooks, check } = await start(t)
  await Promise.all([
    check('m0', { msgBody: Buffer.from('你好'), timestampMs: 1700000000000n }),
    check('m1', { groupId: 'g', toUserId: '', msgType: 1, msgBody: Buffer.alloc(0) }),
  ])
  const [call] = hooks.calls
  const { meta, messages } = fromBinary(CheckMessagesRequestSchema, call.body)
  t.match(meta, { tenantId: 't1', traceId: TRACE, timestampMs: 1700000000123n, sign: expectedSign(call, SECRET) })
  t.match(messages, [
    { tenantId: 't1', userId: 'alice', deviceId: 'd1', msgId: 'm0', toUserId: 'bob', timestampMs: 1700000000000n },
    { msgId: 'm1', groupId: 'g', toUserId: '', msgType: 1 },
  ])
  t.equal(Buffer.from(messages[0].msgBody).toString(), '你好')
  t.equal(call.headers['x-mics-signature'], expectedSignatureHeader(call, SECRET))
})

t.test('a tenant that wants no batches has each message asked about by itself', async t => {
  for (const checkBatchMaxMessages of [0, 1]) {
    const { hooks, check, asked } = await start(t, { checkBatchMaxMessages, checkBatchMaxWaitMs: 50 })
    t.same(await Promise.all(ids(3).map(id => check(id))), ['ok', 'ok', 'ok'])
    t.equal(hooks.callsOf('check-message').length, 3)
    t.same(asked(), [])
  }
})

t.test('a batch has as many messages as the tenant takes, and several are on their way at once', async t => {
  const { hooks, check, asked, batchSizes } = await start(t, { checkBatchMaxMessages: 4 })
  const gate = gated(hooks)
  const checks = ids(10).map(id => check(id))
  await until('there are three calls', () => asked().length === 3)
  t.same(asked().sort((a, b) => a[0].localeCompare(b[0])), [ids(4), ids(4, 4), ids(2, 8)])
  gate.open()
  t.same(new Set(await Promise.all(checks)), new Set(['ok']))
  t.same(batchSizes().slice(0, 4), [['1', 0], ['2', 1], ['4', 3], ['8', 3]])
})

t.test('while calls are on their way a message waits for others, no longer than the tenant says', async t => {
  const { hooks, check, asked } = await start(t, { checkBatchMaxWaitMs: 50 })
  const gate = gated(hooks)
  const first = check('m0')
  await until('the first call is on its way', () => asked().length === 1)
  // Nothing ends the wait of these but its time: the first call has no answer, and two do not fill a batch.
  const others = [check('m1')]
  await new Promise(resolve => setImmediate(resolve))
  others.push(check('m2'))
  await until('there is a second call', () => asked().length === 2)
  t.same(asked()[1], ['m1', 'm2'])
  gate.open()
  t.same(await Promise.all([first, ...others]), ['ok', 'ok', 'ok'])
})

t.test('a batch that fills up while it waits goes at once', async t => {
  // A wait that would outlast the test, beside a call that has no answer.
  const { hooks, check, asked } = await start(t, { checkBatchMaxMessages: 2, checkBatchMaxWaitMs: 3_600_000 })
  const gate = gated(hooks)
  const checks = [check('m0')]
  await until('the first call is on its way', () => asked().length === 1)
  checks.push(check('m1'))
  await new Promise(resolve => setImmediate(resolve))
  checks.push(check('m2'))
  await until('there is a second call', () => asked().length === 2)
  t.same(asked(), [['m0'], ['m1', 'm2']])
  gate.open()
  t.same(await Promise.all(checks), ['ok', 'ok', 'ok'])
})

t.test('a batch no longer waits when no call is on its way any more', async t => {
  // A wait that would outlast the test: what ends it is the answer of the call before.
  const { hooks, check, asked } = await start(t, { checkBatchMaxWaitMs: 3_600_000 })
  const gate = gated(hooks)
  const first = check('m0')
  await until('the first call is on its way', () => asked().length === 1)
  const second = check('m1')
  await new Promise(resolve => setImmediate(resolve))
  t.equal(asked().length, 1)
  gate.open()
  t.same(await Promise.all([first, second]), ['ok', 'ok'])
  t.same(asked(), [['m0'], ['m1']])
})

t.test('a lone message does not wait for others', async t => {
  const { check, asked } = await start(t, { checkBatchMaxWaitMs: 3_600_000 })
  t.equal(await check('m0'), 'ok')
  t.equal(await check('m1'), 'ok')
  t.same(asked(), [['m0'], ['m1']])
})

t.test('batches that wait for a slot may still be joined, and the slots are the tenant\'s', async t => {
  const { hooks, check, asked } = await start(t, { hookMaxConcurrency: 1, checkBatchMaxMessages: 4 })
  const gate = gated(hooks)
  const checks = [check('m0')]
  await until('the first call is on its way', () => asked().length === 1)
  for (const id of ids(4, 1)) {
    checks.push(check(id))
    await new Promise(resolve => setImmediate(resolve))
  }
  t.equal(asked().length, 1)
  gate.open()
  t.same(new Set(await Promise.all(checks)), new Set(['ok']))
  t.same(asked(), [['m0'], ids(4, 1)])
})

t.test('so many messages wait, and those beyond are refused at once', async t => {
  const { hooks, check, counted } = await start(t, { hookMaxConcurrency: 1, checkBatchMaxMessages: 4 })
  const gate = gated(hooks)
  const first = ids(4).map(id => check(id))
  const waiting = ids(16, 4).map(id => check(id))
  t.same(await Promise.all(ids(3, 20).map(id => check(id))), ['queue_full', 'queue_full', 'queue_full'])
  gate.open()
  t.same(new Set(await Promise.all([...first, ...waiting])), new Set(['ok']))
  t.equal(counted('queue_full'), 3)
  t.equal(await check('m23'), 'ok', 'there is room again')
})

t.test('messages that find no slot in time are refused, and that is no failure of the hook', async t => {
  const { hooks, check, asked } = await start(t,
    { hookMaxConcurrency: 1, hookQueueTimeoutMs: 1, checkBatchMaxMessages: 2, hookBreakerFailureThreshold: 1 })
  const gate = gated(hooks)
  const first = check('m0')
  await until('the first call is on its way', () => asked().length === 1)
  t.same(await Promise.all([check('m1'), check('m2'), check('m3')]), ['queue_full', 'queue_full', 'queue_full'])
  gate.open()
  t.equal(await first, 'ok')
  t.equal(await check('m4'), 'ok', 'the breaker is closed')
  t.same(asked(), [['m0'], ['m4']])
})

t.test('where no call may wait, one that finds no slot is refused at once', async t => {
  const { hooks, check, asked } = await start(t, { hookMaxConcurrency: 1, hookQueueTimeoutMs: 0 })
  const gate = gated(hooks)
  const first = check('m0')
  await until('the first call is on its way', () => asked().length === 1)
  t.equal(await check('m1'), 'queue_full')
  gate.open()
  t.equal(await first, 'ok')
})

t.test('the time of a call is that of its oldest message', async t => {
  const { client, hooks, settings, check, asked } = await start(t, { hookMaxConcurrency: 1 })
  const gate = gated(hooks)
  const first = check('m0')
  await until('the slot is taken', () => asked().length === 1)
  // Three asked for one after the other; the one between them has a call, and a time, of its own.
  client.timeoutMs = 1500
  const ended: string[] = []
  const ask = (msgId: string, own = settings): Promise<unknown> =>
    check(msgId, {}, own).then(result => ended.push(`${msgId} ${result}`))
  hooks.raw.set('check-message', () => {})
  const checks: Array<Promise<unknown>> = []
  for (const [msgId, own] of [['oldest'], ['between', { ...settings, checkBatchMaxMessages: 0 }], ['newest']] as const) {
    const askedAt = performance.now()
    checks.push(ask(msgId, own))
    await until('the clock has moved on', () => performance.now() > askedAt + 10)
  }
  hooks.check = () => new Promise(() => {})
  gate.open()
  t.equal(await first, 'ok')
  await Promise.all(checks)
  t.same(asked()[1], ['oldest', 'newest'])
  t.same(ended, ['oldest timeout', 'newest timeout', 'between timeout'])
})

t.test('messages whose time passes while they wait are not asked about', async t => {
  const { client, hooks, check, asked } =
    await start(t, { hookMaxConcurrency: 1, checkBatchMaxMessages: 2, hookBreakerFailureThreshold: 100 })
  client.timeoutMs = 150
  hooks.check = () => new Promise(() => {})
  const [first, second, ...waited] = await Promise.all(ids(8).map(id => check(id)))
  t.same([first, second], ['timeout', 'timeout'])
  // Whether a last millisecond is left to ask in is chance; a wait that left none is the queue's failure.
  for (const kind of waited) t.ok(kind === 'timeout' || kind === 'queue_full', kind)
  t.ok(asked().length < 4, 'the last had no time left to ask at all')
})

t.test('connections with settings that make another call are not asked about together', async t => {
  const { hooks, check, settings } = await start(t)
  const others: Array<Partial<TenantSettings>> = [
    { hookBaseUrl: `${hooks.url}/moved` }, { tenantSecret: 'another' }, { hookSignRequired: true },
    { checkBatchMaxMessages: 8 }, { checkBatchMaxWaitMs: 1 }, { hookMaxConcurrency: 7 }, { hookQueueTimeoutMs: 9000 },
    { hookBreakerFailureThreshold: 3 }, { hookBreakerOpenMs: 1 },
  ]
  for (const other of others) {
    const own = { ...settings, ...other }
    hooks.calls.length = 0
    await Promise.all([check('m0'), check('other', {}, own), check('m1')])
    t.same(hooks.calls.map(idsOf).sort((a, b) => a[0].localeCompare(b[0])), [['m0', 'm1'], ['other']], Object.keys(other)[0])
    for (const call of hooks.calls) {
      const { tenantSecret } = idsOf(call)[0] === 'other' ? own : settings
      t.equal(call.headers['x-mics-signature'], expectedSignatureHeader(call, tenantSecret))
    }
  }
})

t.test('connections with settings that make the same call are asked about together', async t => {
  const { check, settings, asked } = await start(t)
  await Promise.all([
    check('m0'), check('m1', {}, { ...settings }), check('m2', {}, { ...settings, checkMessageFailClosed: true, heartbeatTimeoutSeconds: 7 }),
  ])
  t.same(asked(), [['m0', 'm1', 'm2']])
})

t.test('any number of kinds of settings at once are served', async t => {
  const { check, settings, asked } = await start(t)
  const checks = ids(30).flatMap(id => [0, 1].map(n => check(`${id}-${n}`, {}, { ...settings, tenantSecret: id })))
  t.same(new Set(await Promise.all(checks)), new Set(['ok']))
  t.equal(asked().flat().length, 60)
})

t.test('a batch has at most a mebibyte of messages, or one that is larger', async t => {
  const { check, asked } = await start(t)
  const half = { msgBody: Buffer.alloc(500_000) }
  const huge = { msgBody: Buffer.alloc(1_500_000) }
  await Promise.all([check('a', half), check('b', half), check('c', half), check('d', huge), check('e')])
  t.same(asked().sort((a, b) => a[0].localeCompare(b[0])), [['a', 'b'], ['c'], ['d'], ['e']])
})

t.test('an answer that is not one verdict for each message is a failure for all of them', async t => {
  const verdict = Buffer.from([0x12, 2, 8, 1])
  const answers: Record<string, [Buffer, string]> = {
    none: [Buffer.alloc(0), 'undecodable'],
    'one too few': [verdict, 'undecodable'],
    'one too many': [Buffer.concat([verdict, verdict, verdict]), 'undecodable'],
    'many too many': [Buffer.concat(Array(1000).fill(verdict)), 'undecodable'],
    'not protobuf': [Buffer.from('{"verdicts":[true,true]}'), 'undecodable'],
    'too large': [Buffer.alloc(70 * 1024), 'too_large'],
  }
  for (const [name, [answer, kind]] of Object.entries(answers)) {
    const { hooks, check, counted } = await start(t)
    hooks.raw.set('check-messages', response => response.writeHead(200).end(answer))
    t.same(await Promise.all([check('m0'), check('m1')]), [kind, kind], name)
    t.equal(counted(kind), 1, 'one call failed')
  }
})

t.test('the log says how many verdicts there were', async t => {
  const { hooks, check, lines } = await start(t)
  hooks.checkMessages = () => ({ verdicts: [{ allow: true }] })
  await Promise.all([check('m0'), check('m1')])
  t.match(lines, [{ fields: { operation: 'check-messages', reason: /has 1 verdicts, asked about 2 messages/ } }])
})

t.test('long reasons of all messages of a large batch are taken', async t => {
  const { hooks, check } = await start(t, { checkBatchMaxMessages: 256 })
  const reason = '否'.repeat(512)
  hooks.check = () => ({ allow: false, reason })
  t.same(new Set(await Promise.all(ids(256).map(id => check(id)))), new Set([reason]))
})

t.test('failures in a row open the breaker of this hook, and of no other', async t => {
  const { hooks, client, settings, check, counted } = await start(t, { hookBreakerFailureThreshold: 2 })
  hooks.raw.set('check-messages', response => response.writeHead(500).end())
  t.same(await Promise.all([check('m0'), check('m1')]), ['status', 'status'])
  t.equal(await check('m2'), 'status')
  t.same(await Promise.all([check('m3'), check('m4')]), ['breaker_open', 'breaker_open'])
  t.equal(counted('status'), 2)
  t.equal(counted('breaker_open'), 1)
  const one = await client.checkMessage({ ...settings, checkBatchMaxMessages: 0 }, aMessage(), TRACE)
  t.equal(one.ok, true)
})

t.test('a breaker on trial lets one batch through, and refuses the others', async t => {
  const { hooks, check, asked, lines, counted } =
    await start(t, { hookBreakerFailureThreshold: 1, hookBreakerOpenMs: 1, checkBatchMaxMessages: 4 })
  hooks.raw.set('check-messages', response => response.writeHead(500).end())
  t.equal(await check('m0'), 'status')
  await until('the breaker is on trial', () => lines.some(({ fields }) => fields.breaker === 'half-open'))
  hooks.raw.clear()
  const gate = gated(hooks)
  const trial = ids(4, 1).map(id => check(id))
  t.same(new Set(await Promise.all(ids(10, 5).map(id => check(id)))), new Set(['breaker_open']))
  gate.open()
  t.same(await Promise.all(trial), ['ok', 'ok', 'ok', 'ok'])
  t.same(asked(), [['m0'], ids(4, 1)])
  t.equal(await check('m15'), 'ok')
  t.equal(counted('ok'), 2)
})

t.test('while the breaker is open nothing waits for others', async t => {
  // A wait that would outlast the test, beside a call that has no answer.
  const { hooks, check, asked } =
    await start(t, { hookBreakerFailureThreshold: 1, checkBatchMaxMessages: 2, checkBatchMaxWaitMs: 3_600_000 })
  const gate = gated(hooks)
  const first = check('m0')
  await until('the first call is on its way', () => asked().length === 1)
  hooks.raw.set('check-messages', response => response.writeHead(500).end())
  const [second, waiting] = [Promise.all([check('m1'), check('m2')]), check('m3')]
  t.same(await second, ['status', 'status'])
  t.equal(await waiting, 'breaker_open')
  t.equal(await check('m4'), 'breaker_open')
  gate.open()
  t.equal(await first, 'ok')
})

t.test('a hook that answers no is counted as denied, and does not open the breaker', async t => {
  const { hooks, check, counted } = await start(t, { hookBreakerFailureThreshold: 1 })
  hooks.check = ({ message }) => ({ allow: message?.msgId === 'm0', reason: 'spam' })
  for (let i = 0; i < 3; i++) t.same(await Promise.all([check('m0'), check('m1')]), ['ok', 'spam'])
  t.equal(counted('denied'), 3)
  t.equal(await check('m0'), 'ok')
  t.equal(counted('ok'), 1)
})

t.test('where the server does not serve it, the log says what to do', async t => {
  const { hooks, check, lines } = await start(t)
  hooks.raw.set('check-messages', response => response.writeHead(404).end())
  t.equal(await check('m0'), 'status')
  t.match(lines, [{ fields: { operation: 'check-messages', msgId: 'm0', traceId: TRACE, reason: /404.*serve \/check-messages.*check_batch_max_messages/ } }])
})

t.test('a call that cannot be signed is not made', async t => {
  const { check, settings, asked } = await start(t)
  const unsigned = { ...settings, hookSignRequired: true, tenantSecret: '' }
  t.same(await Promise.all([check('m0', {}, unsigned), check('m1')]), ['unsigned', 'ok'])
  t.same(asked(), [['m1']])
})

t.test('a tenant that goes takes along the messages that wait, for others or for a slot', async t => {
  const { hooks, tenants, check, asked } =
    await start(t, { hookMaxConcurrency: 1, checkBatchMaxMessages: 2, checkBatchMaxWaitMs: 3_600_000 })
  gated(hooks)
  const first = check('m0')
  await until('the first call is on its way', () => asked().length === 1)
  const waiting = ids(3, 1).map(id => check(id))
  tenants.replaceAll([])
  t.same(await Promise.all(waiting), ['tenant_gone', 'tenant_gone', 'tenant_gone'])
  t.not(await first, 'ok')
  t.equal(await check('m4'), 'tenant_gone')
  t.equal(asked().length, 1)
})

t.test('a tenant that returns is asked again', async t => {
  const { tenants, check } = await start(t)
  t.equal(await check('m0'), 'ok')
  const { config } = tenants.get('t1')!
  tenants.replaceAll([])
  tenants.replaceAll([config])
  t.equal(await check('m1'), 'ok')
})

t.test('after close no call is made and none hangs', async t => {
  const { client, hooks, check, asked } = await start(t)
  t.equal(await check('m0'), 'ok')
  hooks.check = () => new Promise(() => {})
  const calls = [check('m1'), check('m2')]
  await client.close()
  t.same(await Promise.all(calls), ['tenant_gone', 'tenant_gone'])
  t.equal(asked().length, 1)
})

t.test('a hook that closes the connection is a failure for all of the batch', async t => {
  const { hooks, check } = await start(t)
  hooks.raw.set('check-messages', response => response.destroy())
  t.same(await Promise.all([check('m0'), check('m1')]), ['network', 'network'])
})
