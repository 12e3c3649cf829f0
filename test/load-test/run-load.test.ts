import t, { type Test } from 'tap'
import { runLoad, type LoadMode, type LoadOptions, type LoadResult } from '../../lib/load-test/run-load.js'
import { startPatientGateway } from '../helpers/patient-gateway.js'
import { until } from '../helpers/until.js'

const SHORT = { durationSeconds: 0.5, drainSeconds: 60, connectTimeoutSeconds: 60 }

async function run (url: string, mode: LoadMode, options: Partial<LoadOptions> = {}): Promise<LoadResult> {
  return await runLoad({ mode, urls: [url.replace('http', 'ws')], tenants: ['t1'], connections: 10, ...SHORT, ...options })
}

/** Everything that was sent is accounted for, and nothing is wrong. */
function isSound (t: Test, { ok, problems, messages, deliveries }: LoadResult): void {
  t.ok(ok, problems.join('; '))
  t.equal(messages.acked, messages.sent, 'each message is acked')
  t.equal(deliveries.expected, deliveries.received + deliveries.held + deliveries.lost + deliveries.missed)
}

t.test('connect opens its connections, holds them and closes them', async t => {
  const gateway = await startPatientGateway(t)
  const result = await run(gateway.url, 'connect')
  isSound(t, result)
  t.match(result, {
    connections: { attempted: 10, connected: 10, refused: {}, ended: {} },
    latencies: { connect: { count: 10 }, ack: null },
  })
  t.equal(gateway.hooks.callsOf('auth').length, 10)
  await until('all have gone', async () => await gateway.metric('mics_connections') === 0)
})

t.test('heartbeat measures what an answer to a heartbeat takes', async t => {
  const gateway = await startPatientGateway(t)
  const result = await run(gateway.url, 'heartbeat', { heartbeatSeconds: 0.1 })
  isSound(t, result)
  t.equal(result.heartbeats.answered, result.heartbeats.sent)
  // Those that were answered before all were connected are not measured.
  const measured = result.latencies.heartbeat?.count ?? 0
  t.ok(measured > 0 && measured <= result.heartbeats.answered, `${measured}`)
})

t.test('pair sends at a rate, and each message comes to its recipient', async t => {
  const gateway = await startPatientGateway(t)
  const result = await run(gateway.url, 'pair', { rate: 200, bodyBytes: 16 })
  isSound(t, result)
  t.ok(result.messages.sent > 0)
  t.equal(result.messages.sent, result.messages.scheduled)
  t.equal(result.deliveries.received, result.messages.sent)
  t.equal(result.rates.target, 200)
  const { ack, delivery, lateness } = result.latencies
  t.ok(ack !== null && delivery !== null && lateness !== null)
  t.ok((ack?.min ?? 0) <= (ack?.p50 ?? 0) && (ack?.p50 ?? 0) <= (ack?.max ?? 0))
})

t.test('pair keeps so many messages of each sender unanswered, also large ones', async t => {
  const gateway = await startPatientGateway(t)
  const result = await run(gateway.url, 'pair', { window: 3, bodyBytes: 100_000, connections: 4 })
  isSound(t, result)
  t.ok(result.messages.sent >= 6, 'two senders with three each')
  t.equal(result.rates.target, null)
})

t.test('group delivers to all members but the sender', async t => {
  const gateway = await startPatientGateway(t)
  gateway.hooks.groups.set('team', ['team-0', 'team-1', 'team-2', 'team-3'])
  const result = await run(gateway.url, 'group', { groups: ['team'], groupSize: 4, groupSenders: 2, userTemplate: '{group}-{n}', rate: 50 })
  isSound(t, result)
  t.ok(result.messages.sent > 0)
  t.equal(result.deliveries.received, result.messages.sent * 3)
})

t.test('members of a group whom the tenant does not know get nothing, and that is found', async t => {
  const gateway = await startPatientGateway(t)
  gateway.hooks.groups.set('team', ['team-0', 'team-1'])
  const result = await run(gateway.url, 'group', { groups: ['team'], groupSize: 3, groupSenders: 1, userTemplate: '{group}-{n}', rate: 50, drainSeconds: 1 })
  t.notOk(result.ok)
  t.equal(result.deliveries.lost, result.messages.sent)
})

t.test('offline finds what waited for users who were absent', async t => {
  const gateway = await startPatientGateway(t)
  const result = await run(gateway.url, 'offline', { rate: 1000, offlineMessages: 3 })
  isSound(t, result)
  t.ok(result.messages.sent >= 15, 'a round of five pairs with three messages each')
  t.equal(result.deliveries.received, result.messages.sent)
  t.ok(result.messages.bufferedUsers >= 15)
  t.ok((result.latencies.catchUp?.count ?? 0) > 0)
})

t.test('churn opens connections at a rate, and closes each after a while', async t => {
  const gateway = await startPatientGateway(t)
  const result = await run(gateway.url, 'churn', { connections: 100, connectRate: 100, holdSeconds: 0.05 })
  isSound(t, result)
  t.ok(result.connections.connected > 0)
  t.equal(result.connections.connected, result.connections.attempted)
})

t.test('mixed does all of it at once', async t => {
  const gateway = await startPatientGateway(t)
  gateway.hooks.groups.set('team', ['load-20', 'load-21', 'load-22'])
  const result = await run(gateway.url, 'mixed', { connections: 20, groups: ['team'], groupSize: 3, rate: 100, heartbeatSeconds: 0.1 })
  isSound(t, result)
  t.ok(result.messages.bufferedUsers > 0, 'offline')
  t.ok(result.deliveries.received > result.messages.sent, 'a group')
  t.ok(result.heartbeats.answered > 0)
})

t.test('tenants share the connections', async t => {
  const gateway = await startPatientGateway(t)
  isSound(t, await run(gateway.url, 'pair', { tenants: ['t1', 't2'] }))
  const tenants = gateway.hooks.callsOf('auth').map(({ meta }) => meta.tenantId)
  t.strictSame([...new Set(tenants)].sort(), ['t1', 't2'])
})

t.test('connections that the gateway refuses are counted by its reason', async t => {
  const gateway = await startPatientGateway(t)
  gateway.hooks.auth = ({ token }) => token === 'valid:load-0' ? { ok: true, userId: 'load-0' } : { ok: false, reason: 'who are you' }
  const result = await run(gateway.url, 'connect')
  t.notOk(result.ok)
  t.match(result, { connections: { connected: 1, refused: { '4001 who are you': 9 } }, problems: ['9 connections were refused'] })
})

t.test('messages that fail are counted by their reason', async t => {
  const gateway = await startPatientGateway(t)
  gateway.hooks.check = () => ({ allow: false, reason: 'not today' })
  const result = await run(gateway.url, 'pair')
  t.notOk(result.ok)
  t.strictSame(result.messages.failed, { 'not today': result.messages.sent })
  t.equal(result.deliveries.lost, 0, 'nobody was to get them')
})

t.test('where nobody answers it says so, and ends', async t => {
  const result = await run('http://127.0.0.1:1', 'pair')
  t.notOk(result.ok)
  t.match(result, { connections: { connected: 0, refused: { ECONNREFUSED: 10 } } })
  t.ok(result.problems.includes('nobody could connect'))
})

t.test('a run that is stopped reports what it has', async t => {
  const gateway = await startPatientGateway(t)
  const stop = new AbortController()
  const result = await runLoad(
    { mode: 'pair', urls: [gateway.url.replace('http', 'ws')], tenants: ['t1'], connections: 2, ...SHORT, durationSeconds: 3600 },
    { signal: stop.signal, onProgress: ({ received }) => { if (received > 0) stop.abort() } })
  isSound(t, result)
  t.ok(result.interrupted)
  t.ok(result.messages.sent > 0)
})

t.test('options that cannot be used are refused before anything is opened', async t => {
  const cases: [Partial<LoadOptions>, RegExp][] = [
    [{ bodyBytes: 15 }, /bodies have 16 to/],
    [{ rate: 1, window: 1 }, /exclude each other/],
    [{ connections: 1 }, /takes 2 connections/],
    [{ mode: 'group' }, /takes the ids of groups/],
    [{ userTemplate: 'alice' }, /takes \{n\}/],
    [{ userTemplate: '{group}-{n}' }, /is for mode group/],
    [{ users: [{ userId: 'alice', token: 'valid:alice' }] }, /10 users are needed, and there are tokens of 1/],
    [{ sourceAddresses: ['localhost'] }, /source addresses are IP addresses of this machine; "localhost" is none/],
    [{ mode: 'rush' as LoadMode }, /there is no mode "rush"/],
  ]
  for (const [options, message] of cases) {
    await t.rejects(run('http://127.0.0.1:1', 'pair', options), { name: 'LoadError', code: 'MICS_LOAD_OPTIONS', message })
  }
})
