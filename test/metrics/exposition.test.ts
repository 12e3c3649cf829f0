import { once } from 'node:events'
import { spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'
import t from 'tap'
import { exposition, textOf, type Metric } from '../../lib/metrics/exposition.js'
import { Histogram } from '../../lib/metrics/histogram.js'
import { promtool } from '../helpers/prometheus-server.js'

function metric (fields: Partial<Metric> = {}): Metric {
  return { name: 'mics_things', help: 'Things', type: 'gauge', labelNames: [], read: emit => emit({}, 1), ...fields }
}

t.test('a metric is its help, its type and its samples', t => {
  t.equal(textOf(metric({ read: emit => { emit({}, 1); emit({ a: 'x', b: 2 }, 0.5) } })),
    '# HELP mics_things Things\n# TYPE mics_things gauge\nmics_things 1\nmics_things{a="x",b="2"} 0.5\n')
  t.end()
})

t.test('labels that all samples have come before their own', t => {
  const read: Metric['read'] = emit => { emit({}, 1); emit({ a: 'x' }, 2) }
  t.same(textOf(metric({ read }), { worker: '2' }).split('\n').slice(2, 4),
    ['mics_things{worker="2"} 1', 'mics_things{worker="2",a="x"} 2'])
  t.end()
})

t.test('nothing breaks out of its place', t => {
  const lines = textOf(metric({ help: 'a\nb\\c', read: emit => emit({ a: 'q"b\\s\nn' }, 1) })).split('\n')
  t.equal(lines[0], '# HELP mics_things a\\nb\\\\c')
  t.equal(lines[2], 'mics_things{a="q\\"b\\\\s\\nn"} 1')
  t.end()
})

t.test('numbers that are none of mathematics are in Prometheus\' words', t => {
  const values = [Infinity, -Infinity, NaN, 1e21]
  t.same(textOf(metric({ read: emit => values.forEach(value => emit({}, value)) })).split('\n').slice(2, 6),
    ['mics_things +Inf', 'mics_things -Inf', 'mics_things NaN', 'mics_things 1e+21'])
  t.end()
})

t.test('a bucket of a histogram holds what is up to its bound, and those before it', t => {
  const histogram = new Histogram([1, 2])
  for (const value of [0.5, 1, 1.5, 7]) histogram.observe(value)
  t.same(textOf(metric({ type: 'histogram', read: emit => histogram.emit({ a: 'x' }, emit) })).split('\n').slice(2, 7), [
    'mics_things_bucket{a="x",le="1"} 2', 'mics_things_bucket{a="x",le="2"} 3', 'mics_things_bucket{a="x",le="+Inf"} 4',
    'mics_things_sum{a="x"} 10', 'mics_things_count{a="x"} 4',
  ])
  t.end()
})

t.test('a long text leaves others their turn', async t => {
  const metrics = Array.from({ length: 10 }, (_, n) => metric({
    name: `mics_things_${n}`, read: emit => { for (let i = 0; i < 5000; i++) emit({ i }, i) },
  }))
  let turns = 0
  const count = (): void => {
    turns++
    turning = setImmediate(count)
  }
  let turning = setImmediate(count)
  const whole = await exposition(metrics)
  clearImmediate(turning)
  t.equal(whole, metrics.map(one => textOf(one)).join(''))
  t.ok(turns >= 9, `${turns} turns`)
})

t.test('promtool understands the text and finds nothing to say against it', async t => {
  const histogram = new Histogram([0.1, 1])
  histogram.observe(0.5)
  const child = spawn(promtool(), ['check', 'metrics'], { stdio: ['pipe', 'pipe', 'pipe'] })
  child.stdin.end(await exposition([
    metric({ read: emit => emit({ tenant: 'a"b\\c\nd' }, Infinity) }),
    metric({ name: 'mics_some_total', type: 'counter', read: emit => emit({}, 1e21) }),
    metric({ name: 'mics_call_duration_seconds', type: 'histogram', read: emit => histogram.emit({}, emit) }),
  ]))
  const [output, [code]] = await Promise.all([text(child.stderr), once(child, 'exit')])
  t.equal(output, '')
  t.equal(code, 0)
})
