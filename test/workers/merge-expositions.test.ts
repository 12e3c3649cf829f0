import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import t from 'tap'
import { textOf, type Metric } from '../../lib/metrics/exposition.js'
import { mergeExpositions } from '../../lib/workers/merge-expositions.js'
import { promtool } from '../helpers/prometheus-server.js'

function metric (name: string, read: Metric['read']): Metric {
  return { name, help: 'Things', type: 'gauge', labelNames: [], read }
}

t.test('the samples of a metric stand together, and its help and type once', async t => {
  const one = '# HELP a A thing\n# TYPE a gauge\na{worker="1"} 1\n\n# HELP b B\n# TYPE b counter\nb{worker="1"} 2\nb{worker="1",x="y"} 3\n'
  const other = '# HELP b B\n# TYPE b counter\nb{worker="2"} 4\n# HELP c C\n# TYPE c gauge\n# HELP a A thing\n# TYPE a gauge\na{worker="2"} 5\n'
  t.equal(await mergeExpositions([one, other]), [
    '# HELP a A thing', '# TYPE a gauge', 'a{worker="1"} 1', 'a{worker="2"} 5',
    '# HELP b B', '# TYPE b counter', 'b{worker="1"} 2', 'b{worker="1",x="y"} 3', 'b{worker="2"} 4',
    '# HELP c C', '# TYPE c gauge', '',
  ].join('\n'))
  t.equal(await mergeExpositions([]), '')
  t.equal(await mergeExpositions(['', one.slice(0, one.indexOf('\n\n') + 1)]), one.slice(0, one.indexOf('\n\n') + 1))
})

t.test('no value of a label is taken for a metric, and promtool finds nothing to say against the whole', async t => {
  const texts = ['1', '2'].map(worker => [
    metric('mics_things', emit => emit({ tenant: '\n# HELP mics_others x\n# TYPE mics_others gauge\n' }, 1)),
    metric('mics_others', emit => emit({}, Infinity)),
  ].map(one => textOf(one, { worker })).join(''))
  const merged = await mergeExpositions(texts)
  t.equal(merged.match(/^# HELP/gm)?.length, 2)
  const child = spawn(promtool(), ['check', 'metrics'], { stdio: ['pipe', 'pipe', 'pipe'] })
  child.stdin.end(merged)
  const [output, [code]] = await Promise.all([text(child.stderr), once(child, 'exit')])
  t.equal(output, '')
  t.equal(code, 0)
})
