import t, { type Test } from 'tap'
import { textOf } from '../../lib/metrics/exposition.js'
import { GatewayMetrics } from '../../lib/metrics/gateway-metrics.js'

interface Setup {
  metrics: GatewayMetrics
  /** The samples of a metric, as lines without its name. */
  samples: (name: string) => string[]
}

function setup (t: Test, maxTenants = 10): Setup {
  const metrics = new GatewayMetrics(maxTenants)
  t.teardown(() => metrics.close())
  return {
    metrics,
    samples: name => metrics.metrics.filter(metric => metric.name === name).flatMap(metric => textOf(metric).split('\n'))
      .filter(line => line.startsWith(name)).map(line => line.slice(name.length)),
  }
}

t.test('names, units and help are as Prometheus asks for', t => {
  const { metrics } = setup(t)
  t.ok(metrics.metrics.length > 20)
  for (const { name, help, type, labelNames } of metrics.metrics) {
    t.match(name, /^mics(_[a-z]+)+$/)
    t.equal(name.endsWith('_total'), type === 'counter', `${name} is a ${type}`)
    t.notMatch(name, /_(ms|milliseconds|minutes|kb|mb|percent|gauge|counter|histogram)(_|$)/, `${name} has a base unit`)
    t.notMatch(name, /_(sum|count|bucket|info_total)$/, 'what a histogram adds is no part of a name')
    t.match(help, /^[A-Z'].{10,}[^.]$/, `${name}: ${help}`)
    for (const label of labelNames) t.notMatch(label, /^(le|quantile|job|instance)$|^__/, 'a label that Prometheus keeps for itself')
  }
  t.end()
})

t.test('what is counted is what Prometheus reads, each time anew', t => {
  const { metrics, samples } = setup(t)
  const tenant = metrics.tenant('t1')
  tenant.connections++
  tenant.connections++
  tenant.closes.add(4101)
  tenant.acks.add('sent', 3)
  tenant.acks.add('failed')
  tenant.messages.add('group')
  metrics.hookCall('t1', 'auth', 'ok', 0.25)
  metrics.hookCall('t1', 'auth', 'ok', 0.5)
  metrics.hookCall('t1', 'check-message', 'timeout', 1)
  tenant.offlineEvicted.add('expired')
  t.same(samples('mics_connections'), ['{tenant="t1"} 2'])
  t.same(samples('mics_connection_closes_total'),
    ['{tenant="t1",code="4100"} 0', '{tenant="t1",code="4101"} 1', '{tenant="t1",code="4503"} 0'])
  t.same(samples('mics_acks_total'), [
    '{tenant="t1",outcome="sent"} 3', '{tenant="t1",outcome="duplicate"} 0', '{tenant="t1",outcome="failed"} 1',
  ])
  t.same(samples('mics_messages_received_total'), [
    '{tenant="t1",type="single"} 0', '{tenant="t1",type="group"} 1', '{tenant="t1",type="invalid"} 0',
  ])
  t.same(samples('mics_hook_calls_total'), [
    '{tenant="t1",operation="auth",result="ok"} 2', '{tenant="t1",operation="check-message",result="timeout"} 1',
  ])
  t.same(samples('mics_hook_call_seconds_total'),
    ['{tenant="t1",operation="auth"} 0.75', '{tenant="t1",operation="check-message"} 1'])
  t.same(samples('mics_offline_evicted_total').filter(sample => !sample.endsWith(' 0')),
    ['{tenant="t1",reason="expired"} 1'])
  tenant.connections--
  tenant.acks.add('sent')
  t.same(samples('mics_connections'), ['{tenant="t1"} 1'])
  t.equal(samples('mics_acks_total')[0], '{tenant="t1",outcome="sent"} 4')
  t.end()
})

t.test('tenants beyond the bound share one label value, and nothing goes uncounted', t => {
  const { metrics, samples } = setup(t, 2)
  for (const tenant of ['t1', 't2', 't3', 't4', 't1', 't4']) metrics.tenant(tenant).connectionsOpened++
  t.same(samples('mics_connections_opened_total'),
    ['{tenant="t1"} 2', '{tenant="t2"} 1', '{tenant="other"} 3'])
  t.equal(metrics.label('t2'), 't2')
  t.equal(metrics.label('t3'), 'other')
  t.equal(metrics.label('never seen'), 'other')
  t.end()
})

t.test('asking for a label gives the tenant its place', t => {
  const { metrics } = setup(t, 1)
  t.equal(metrics.label('t1'), 't1')
  t.equal(metrics.label('t2'), 'other')
  t.equal(metrics.label('t1'), 't1')
  t.end()
})

t.test('a bound of none puts all tenants together', t => {
  const { metrics, samples } = setup(t, 0)
  for (const tenant of ['t1', 't2']) metrics.tenant(tenant).connections++
  t.same(samples('mics_connections'), ['{tenant="other"} 2'])
  t.end()
})

t.test('a tenant that is called other takes nobody\'s place', t => {
  const { metrics, samples } = setup(t, 1)
  for (const tenant of ['other', 't1', 't2']) metrics.tenant(tenant).connections++
  t.same(samples('mics_connections'), ['{tenant="other"} 2', '{tenant="t1"} 1'])
  t.end()
})

t.test('a tenant\'s name cannot break out of its label', t => {
  const { metrics, samples } = setup(t)
  metrics.tenant('a"b\\c\nd').connections++
  t.same(samples('mics_connections'), ['{tenant="a\\"b\\\\c\\nd"} 1'])
  t.end()
})

t.test('the breaker\'s state is a gauge with the bounded label', t => {
  const { metrics, samples } = setup(t, 1)
  metrics.breaker('t1', 'auth', 1)
  metrics.breaker('t1', 'auth', 0)
  t.same(samples('mics_hook_breaker_state'), ['{tenant="t1",operation="auth"} 0'])
  metrics.forgetBreaker('t1', 'auth')
  t.same(samples('mics_hook_breaker_state'), [])
  t.end()
})

t.test('of tenants that share a label the breaker in the worst state is told', t => {
  const { metrics, samples } = setup(t, 0)
  const state = (): string[] => samples('mics_hook_breaker_state')
  metrics.breaker('t1', 'auth', 2)
  metrics.breaker('t2', 'auth', 0)
  t.same(state(), ['{tenant="other",operation="auth"} 2'])
  metrics.breaker('t2', 'auth', 1)
  metrics.breaker('t3', 'auth', 2)
  t.same(state(), ['{tenant="other",operation="auth"} 1'])
  metrics.forgetBreaker('t2', 'auth')
  t.same(state(), ['{tenant="other",operation="auth"} 2'])
  t.end()
})

t.test('limits are told of tenants that have a label and a limit', t => {
  const { metrics, samples } = setup(t, 1)
  metrics.limits('t1', 100, 0)
  metrics.limits('t2', 50, 10)
  t.same(samples('mics_tenant_connections_limit'), ['{tenant="t1"} 100'])
  t.same(samples('mics_tenant_messages_per_second_limit'), [])
  metrics.limits('t1', 0, 7)
  t.same(samples('mics_tenant_connections_limit'), [])
  t.same(samples('mics_tenant_messages_per_second_limit'), ['{tenant="t1"} 7'])
  t.end()
})

t.test('hook durations are a histogram around the 150 ms a call may take', t => {
  const { metrics, samples } = setup(t)
  metrics.hookCall('t1', 'auth', 'ok', 0.02)
  metrics.hookCall('t2', 'auth', 'ok', 0.12)
  const lines = samples('mics_hook_call_duration_seconds')
  t.ok(lines.includes('_bucket{operation="auth",le="0.025"} 1'))
  t.ok(lines.includes('_bucket{operation="auth",le="0.15"} 2'))
  t.ok(lines.includes('_bucket{operation="auth",le="+Inf"} 2'))
  t.ok(lines.includes('_count{operation="auth"} 2'))
  t.end()
})

t.test('what the node keeps elsewhere is read when it is asked for', t => {
  const { metrics, samples } = setup(t)
  let value = 1
  metrics.nodeGauge('some_gauge', 'A gauge for this test', ['kind'], emit => emit({ kind: 'a' }, value))
  metrics.nodeCounter('some_things_total', 'A counter for this test', () => value)
  t.same(samples('mics_some_gauge'), ['{kind="a"} 1'])
  value = 5
  t.same(samples('mics_some_gauge'), ['{kind="a"} 5'])
  t.same(samples('mics_some_things_total'), [' 5'])
  t.end()
})

t.test('a name is given once', t => {
  const { metrics } = setup(t)
  t.throws(() => metrics.nodeCounter('acks_total', 'Another count of acks', () => 1), /mics_acks_total/)
  t.end()
})

t.test('who asks while the text is made gets the same', async t => {
  const { metrics } = setup(t)
  const first = metrics.text()
  t.equal(metrics.text(), first)
  await first
  t.not(metrics.text(), first)
})

t.test('two gateways in one process do not mix', async t => {
  const one = setup(t)
  const two = setup(t)
  one.metrics.tenant('t1').connections++
  t.same(await two.samples('mics_connections'), [])
})

t.test('known values are there from the start: an alert sees only changes', t => {
  const { metrics, samples } = setup(t, 10)
  t.same(samples('mics_tenants_file_reloads_total'), ['{result="applied"} 0', '{result="refused"} 0'])
  metrics.tenant('t1')
  t.same(samples('mics_dedup_hits_total'), [
    '{tenant="t1",kind="duplicate"} 0', '{tenant="t1",kind="in_flight"} 0', '{tenant="t1",kind="conflict"} 0',
  ])
  t.end()
})
