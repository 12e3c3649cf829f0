import { Registry } from 'prom-client'
import t, { type Test } from 'tap'
import { GatewayMetrics } from '../../lib/metrics/gateway-metrics.js'

interface Setup {
  metrics: GatewayMetrics
  registry: Registry
  /** The samples of a metric, as lines without its name. */
  samples: (name: string) => Promise<string[]>
}

function setup (t: Test, maxTenants = 10): Setup {
  const registry = new Registry()
  const metrics = new GatewayMetrics(registry, maxTenants)
  t.teardown(() => metrics.close())
  return {
    metrics,
    registry,
    samples: async name => (await registry.getSingleMetricAsString(name)).split('\n')
      .filter(line => line.startsWith(name)).map(line => line.slice(name.length)),
  }
}

t.test('every metric has the prefix and says what it counts', async t => {
  const { registry } = setup(t)
  const all = await registry.getMetricsAsJSON()
  t.ok(all.length > 20)
  for (const { name, help, type } of all) {
    t.match(name, /^mics_[a-z_]+[a-z]$/)
    t.ok(help.length > 10, `${name}: ${help}`)
    const isCounter = (type as unknown as string) === 'counter'
    t.equal(name.endsWith('_total'), isCounter, `${name} is a ${type}`)
  }
})

t.test('what is counted is what Prometheus reads, each time anew', async t => {
  const { metrics, samples } = setup(t)
  const tenant = metrics.tenant('t1')
  tenant.connections++
  tenant.connections++
  tenant.closes.add(4101)
  tenant.acks.add('sent', 3)
  tenant.acks.add('failed')
  tenant.messages.add('group')
  tenant.hookCall('auth', 'ok')
  tenant.hookCall('auth', 'ok')
  tenant.hookCall('check-message', 'timeout')
  tenant.offlineEvicted.add('expired')
  t.same(await samples('mics_connections'), ['{tenant="t1"} 2'])
  t.same(await samples('mics_connection_closes_total'), ['{tenant="t1",code="4101"} 1'])
  t.same(await samples('mics_acks_total'), [
    '{tenant="t1",outcome="sent"} 3', '{tenant="t1",outcome="duplicate"} 0', '{tenant="t1",outcome="failed"} 1',
  ])
  t.same(await samples('mics_messages_received_total'), [
    '{tenant="t1",type="single"} 0', '{tenant="t1",type="group"} 1', '{tenant="t1",type="invalid"} 0',
  ])
  t.same(await samples('mics_hook_calls_total'), [
    '{tenant="t1",operation="auth",result="ok"} 2', '{tenant="t1",operation="check-message",result="timeout"} 1',
  ])
  t.same((await samples('mics_offline_evicted_total')).filter(sample => !sample.endsWith(' 0')),
    ['{tenant="t1",reason="expired"} 1'])
  tenant.connections--
  tenant.acks.add('sent')
  t.same(await samples('mics_connections'), ['{tenant="t1"} 1'])
  t.equal((await samples('mics_acks_total'))[0], '{tenant="t1",outcome="sent"} 4')
})

t.test('tenants beyond the bound share one label value, and nothing goes uncounted', async t => {
  const { metrics, samples } = setup(t, 2)
  for (const tenant of ['t1', 't2', 't3', 't4', 't1', 't4']) metrics.tenant(tenant).connectionsOpened++
  t.same(await samples('mics_connections_opened_total'),
    ['{tenant="t1"} 2', '{tenant="t2"} 1', '{tenant="other"} 3'])
  t.equal(metrics.label('t2'), 't2')
  t.equal(metrics.label('t3'), 'other')
  t.equal(metrics.label('never seen'), 'other')
})

t.test('asking for a label gives the tenant its place', t => {
  const { metrics } = setup(t, 1)
  t.equal(metrics.label('t1'), 't1')
  t.equal(metrics.label('t2'), 'other')
  t.equal(metrics.label('t1'), 't1')
  t.end()
})

t.test('a bound of none puts all tenants together', async t => {
  const { metrics, samples } = setup(t, 0)
  for (const tenant of ['t1', 't2']) metrics.tenant(tenant).connections++
  t.same(await samples('mics_connections'), ['{tenant="other"} 2'])
})

t.test('a tenant that is called other takes nobody\'s place', async t => {
  const { metrics, samples } = setup(t, 1)
  for (const tenant of ['other', 't1', 't2']) metrics.tenant(tenant).connections++
  t.same(await samples('mics_connections'), ['{tenant="other"} 2', '{tenant="t1"} 1'])
})

t.test('a tenant\'s name cannot break out of its label', async t => {
  const { metrics, samples } = setup(t)
  metrics.tenant('a"b\\c\nd').connections++
  t.same(await samples('mics_connections'), ['{tenant="a\\"b\\\\c\\nd"} 1'])
})

t.test('the breaker\'s state is a gauge with the bounded label', async t => {
  const { metrics, samples } = setup(t, 1)
  metrics.breaker('t1', 'auth', 1)
  metrics.breaker('t2', 'auth', 2)
  metrics.breaker('t1', 'auth', 0)
  t.same(await samples('mics_hook_breaker_state'),
    ['{tenant="t1",operation="auth"} 0', '{tenant="other",operation="auth"} 2'])
})

t.test('hook durations are a histogram around the 150 ms a call may take', async t => {
  const { metrics, samples } = setup(t)
  metrics.hookCallSeconds.observe({ tenant: 't1', operation: 'auth' }, 0.02)
  metrics.hookCallSeconds.observe({ tenant: 't1', operation: 'auth' }, 0.12)
  const lines = await samples('mics_hook_call_duration_seconds')
  t.ok(lines.includes('_bucket{le="0.025",tenant="t1",operation="auth"} 1'))
  t.ok(lines.includes('_bucket{le="0.15",tenant="t1",operation="auth"} 2'))
  t.ok(lines.includes('_count{tenant="t1",operation="auth"} 2'))
})

t.test('what the node keeps elsewhere is read when it is asked for', async t => {
  const { metrics, samples } = setup(t)
  let value = 1
  metrics.nodeGauge('some_gauge', 'A gauge for this test', ['kind'], emit => emit({ kind: 'a' }, value))
  metrics.nodeCounter('some_things_total', 'A counter for this test', () => value)
  t.same(await samples('mics_some_gauge'), ['{kind="a"} 1'])
  value = 5
  t.same(await samples('mics_some_gauge'), ['{kind="a"} 5'])
  t.same(await samples('mics_some_things_total'), [' 5'])
})

t.test('the event loop\'s lag is read in three quantiles', async t => {
  const { samples } = setup(t)
  const lines = await samples('mics_event_loop_lag_seconds')
  t.same(lines.map(line => line.slice(0, line.indexOf('}') + 1)), ['{quantile="0.5"}', '{quantile="0.99"}', '{quantile="1"}'])
  t.ok(lines.every(line => Number(line.slice(line.lastIndexOf(' '))) >= 0))
})

t.test('two gateways in one process do not mix', async t => {
  const one = setup(t)
  const two = setup(t)
  one.metrics.tenant('t1').connections++
  t.same(await two.samples('mics_connections'), [])
})

t.test('known values are there from the start: an alert sees only changes', async t => {
  const { metrics, samples } = setup(t, 10)
  t.same(await samples('mics_tenants_reloads_total'), ['{result="applied"} 0', '{result="refused"} 0'])
  metrics.tenant('t1')
  t.same(await samples('mics_dedup_hits_total'), [
    '{tenant="t1",kind="duplicate"} 0', '{tenant="t1",kind="in_flight"} 0', '{tenant="t1",kind="conflict"} 0',
  ])
})
