import t from 'tap'
import { loadConfig } from '../../lib/config/load-config.js'
import { metricsOfWorkers } from '../../lib/workers/metrics-of-workers.js'
import { startServer } from '../../server.js'
import { AckStatus, MessageType, TestClient } from '../helpers/client.js'
import { startGateway } from '../helpers/gateway.js'
import { codeIn, documents, readDocument, tableRows } from '../helpers/markdown.js'
import { withRedis } from '../helpers/redis-server.js'

interface Documented {
  name: string
  type: string
  labels: string[]
  text: string
}

const documented: Documented[] = tableRows(readDocument('docs/metrics.md'))
  .filter(([name]) => /^`mics_\w+`$/.test(name))
  .map(([name, type, labels, text]) => ({ name: codeIn(name)[0], type, labels: codeIn(labels).sort(), text }))

/** `mics_` metrics in Prometheus text: name and type. */
function typesIn (exposition: string): Record<string, string> {
  return Object.fromEntries([...exposition.matchAll(/^# TYPE (mics_\w+) (\w+)$/gm)].map(([, name, type]) => [name, type]))
}

t.test('the table has every metric with its type and labels, and no other', async t => {
  // With Redis, Kafka and tracing, which have metrics of their own; that neither Kafka nor a collector answers is no
  // matter.
  const { url } = await withRedis(t)
  const gateway = await startGateway(t, {
    REDIS_URL: url,
    CLUSTER_GRPC_TOKEN: 'token',
    NODE_PORT: '0',
    KAFKA_BROKERS: '127.0.0.1:1',
    OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1',
  })
  const { body } = await gateway.server.app.inject('/metrics')
  const ofWorkers = metricsOfWorkers([true], { cpuSeconds: 0, residentBytes: 0, restarts: [0] })
  t.same(Object.fromEntries(documented.map(({ name, type }) => [name, type])),
    { ...typesIn(body), ...Object.fromEntries(ofWorkers.map(({ name, type }) => [name, type])) })

  for (const { name, labelNames } of [...gateway.server.app.gatewayMetrics.metrics, ...ofWorkers]) {
    t.same(documented.find(row => row.name === name)?.labels, [...labelNames].sort(), name)
  }
})

t.test('every metric that a document names is in the table, or one of the hook server\'s own', async t => {
  const hookServer = [...readDocument('sdk/hook-server/README.md').matchAll(/`(mics_\w+)`/g)].map(([, name]) => name)
  const names = new Set([...documented.map(({ name }) => name), ...hookServer])
  for (const document of documents()) {
    const named = [...readDocument(document).matchAll(/\bmics_\w*[a-z]\b/g)].map(([name]) => name.replace(/_bucket$/, ''))
    t.same(named.filter(name => !names.has(name)), [], document)
  }
})

t.test('samples carry the labels and values of the table', async t => {
  const gateway = await startGateway(t, { OFFLINE_BUFFER_MAX_MESSAGES_PER_USER: '1' })
  gateway.hooks.groups.set('g', ['alice', 'bob'])
  const [alice, bob] = await Promise.all(['alice', 'bob'].map(async user => await gateway.connect(user)))
  const sent = await alice.sendAndAck({ toUserId: 'bob' })
  await alice.sendAndAck({ toUserId: 'bob', msgId: sent.msgId })
  await alice.sendAndAck({ toUserId: 'bob', msgId: sent.msgId, msgBody: Buffer.from('other') })
  await alice.sendAndAck({ msgType: MessageType.GROUP_CHAT, groupId: 'g' })
  await alice.sendAndAck({ toUserId: 'carol' })
  await alice.sendAndAck({ toUserId: 'carol' })
  t.equal((await alice.sendAndAck({})).status, AckStatus.FAILED)
  gateway.hooks.check = () => ({ allow: false, reason: 'no' })
  await alice.sendAndAck({ toUserId: 'bob' })
  alice.sendRaw('text')
  await alice.waitErrors(1)
  gateway.hooks.raw.set('check-message', response => response.writeHead(500).end())
  for (let i = 0; i < 6; i++) await alice.sendAndAck({ toUserId: 'bob' })
  await bob.close()
  await alice.roundTrip()
  await TestClient.open(gateway.url, { tenantId: 'nobody' }).closed

  t.equal(await gateway.metric('mics_connection_closes_total', { tenant: 'unknown', code: '4002' }), 1)
  const { body } = await gateway.server.app.inject('/metrics')
  const rows = new Map(documented.map(row => [row.name, row]))
  const sampled = new Set<string>()
  for (const [, sample, labelText] of body.matchAll(/^(mics_\w+)\{(.*)\} /gm)) {
    const name = sample.replace(/_(bucket|sum|count)$/, '')
    const row = rows.get(name)
    const labels = new Map([...labelText.matchAll(/(\w+)="([^"]*)"/g)].map(([, label, value]) => [label, value]))
    if (sample.endsWith('_bucket')) labels.delete('le')
    t.same([...labels.keys()].sort(), row?.labels, sample)
    for (const label of ['type', 'path', 'outcome', 'result', 'kind']) {
      const value = labels.get(label)
      if (value !== undefined) t.ok(row?.text.includes(`\`${value}\``), `${name}: ${label} ${value} is documented`)
    }
    sampled.add(name)
  }
  for (const name of ['mics_hook_breaker_state', 'mics_dedup_hits_total', 'mics_offline_evicted_total',
    'mics_frame_errors_total', 'mics_connection_closes_total', 'mics_check_message_degraded_total']) {
    t.ok(sampled.has(name), `${name} has a sample`)
  }
})

t.test('a tenant beyond METRICS_MAX_TENANTS counts under other', async t => {
  const config = loadConfig({
    HOST: '127.0.0.1', PORT: '0', LOG_LEVEL: 'silent', METRICS_MAX_TENANTS: '1', TENANT_AUTH_MAP: 'a=http://127.0.0.1:1',
  })
  const { app, close } = await startServer({ config, embedded: false, handleSignals: false })
  t.teardown(close)
  t.equal(app.gatewayMetrics.label('a'), 'a')
  t.equal(app.gatewayMetrics.label('b'), 'other')
})
