import t, { type Test } from 'tap'
import { dashboard } from '../../scripts/dashboard/dashboard.js'
import { metricsOfWorkers } from '../../lib/workers/metrics-of-workers.js'
import { alertGroups, alertsFile, metricsIn } from '../helpers/alert-rules.js'
import { startGateway, type TestGateway } from '../helpers/gateway.js'
import { readDocument } from '../helpers/markdown.js'
import { withPrometheus } from '../helpers/prometheus-server.js'
import { withRedis } from '../helpers/redis-server.js'
import { PATIENT, until } from '../helpers/until.js'

interface Rules {
  groups: Array<{ name: string, rules: Array<{ name: string, health: string, lastError?: string }> }>
}

interface Alerts {
  alerts: Array<{ labels: Record<string, string>, annotations: Record<string, string>, state: string }>
}

/** All that there is to count: with Redis, and with a Kafka and a collector of traces that never answer. */
async function startWhole (t: Test): Promise<TestGateway> {
  const { url } = await withRedis(t)
  return await startGateway(t, {
    REDIS_URL: url,
    CLUSTER_GRPC_TOKEN: 'token',
    NODE_PORT: '0',
    KAFKA_BROKERS: '127.0.0.1:1',
    KAFKA_FLUSH_SECONDS: '0',
    OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1',
  }, PATIENT)
}

const queries = dashboard().panels.flatMap(({ title, targets = [] }) => targets.map(({ expr }) => ({ title, expr })))

/** A query of the dashboard as Grafana would send it, with everything chosen. */
function concrete (expr: string): string {
  return expr.replaceAll('$__rate_interval', '1m').replace(/\$(job|node|tenant)/g, '.*')
}

t.test('every metric that the dashboard, the alerts or the documents name is there', async t => {
  const gateway = await startWhole(t)
  const { body } = await gateway.server.app.inject('/metrics')
  const there = new Set([...body.matchAll(/^# TYPE (\w+) /gm)].map(([, name]) => name))
  there.add('up') // Prometheus' own
  for (const { name } of metricsOfWorkers([true], { cpuSeconds: 0, residentBytes: 0, restarts: [0] })) there.add(name)
  const texts = [
    ...queries.map(({ expr }) => expr),
    ...dashboard().templating.list.map(({ definition = '' }) => definition),
    ...alertGroups().flatMap(({ rules }) => rules.map(({ expr }) => expr)),
    ...['docs/ops/runbook.md', 'docs/metrics.md'].flatMap(name => readDocument(name).match(/`[^`]+`/g) ?? []),
    ...(readDocument('docs/ops/runbook.md').match(/```promql\n[^`]+/g) ?? []),
  ]
  const named = new Set(texts.flatMap(metricsIn).filter(name => !name.endsWith('_')))
  t.ok(named.size > 50, `${named.size} metrics are named`)
  t.same([...named].filter(name => !there.has(name)), [])
})

t.test('a Prometheus scrapes the gateway, evaluates the rules and answers the dashboard', async t => {
  const gateway = await startWhole(t)
  const alice = await gateway.connect('alice')
  await alice.sendAndAck({ toUserId: 'bob' })
  const target = new URL(gateway.url).host
  const prometheus = await withPrometheus(t, { targets: [target], ruleFiles: [alertsFile] })

  await until('it has read the gateway', async () => (await prometheus.query('sum(mics_connections) == 1')).length === 1)
  t.match(await prometheus.query('mics_node_info'),
    [{ metric: { job: 'mics', instance: target, node: 'node-1' }, value: [Number, '1'] }])

  let rules: Rules['groups'][number]['rules'] = []
  await until('it has evaluated all rules', async () => {
    rules = (await prometheus.get<Rules>('rules')).groups.flatMap(group => group.rules)
    return rules.every(({ health }) => health !== 'unknown')
  })
  t.same(rules.filter(({ health }) => health !== 'ok'), [])
  const shipped = alertGroups().flatMap(group => group.rules.map(({ alert }) => alert))
  t.same(rules.map(({ name }) => name).sort(), shipped.sort())

  let alerts: Alerts['alerts'] = []
  await until('it has seen that Kafka is gone', async () => {
    ({ alerts } = await prometheus.get<Alerts>('alerts'))
    return alerts.some(({ labels }) => labels.alertname === 'MicsKafkaGone')
  })
  t.match(alerts.find(({ labels }) => labels.alertname === 'MicsKafkaGone'),
    { labels: { severity: 'critical', instance: target }, annotations: { summary: `Kafka does not answer ${target}` } })

  for (const { title, expr } of queries) {
    await t.resolves(prometheus.query(concrete(expr)), `${title}: ${expr}`)
  }
  const answer = async (title: string): Promise<string | undefined> => {
    const expr = queries.find(query => query.title === title)?.expr
    return expr === undefined ? undefined : (await prometheus.query(concrete(expr)))[0]?.value[1]
  }
  t.equal(await answer('Clients connected'), '1')
  t.equal(await answer('Nodes'), '1')
  t.equal(await answer('Redis answers'), '1')
})
