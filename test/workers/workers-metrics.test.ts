import t from 'tap'
import type { FromWorker } from '../../lib/workers/worker-messages.js'
import { WorkersMetrics } from '../../lib/workers/workers-metrics.js'

const OWN = '# HELP a A\n# TYPE a gauge\na{worker="1"} 1\n'
const OTHER = '# HELP a A\n# TYPE a gauge\na{worker="2"} 2\n'
const PRIMARY = { cpuSeconds: 1.5, residentBytes: 2048, restarts: [0, 3] }

/** Worker 1 of two, and what it says to its primary. */
function workerOne (answerMs: number): { metrics: WorkersMetrics, said: FromWorker[] } {
  const said: FromWorker[] = []
  const metrics = new WorkersMetrics({ worker: 1, workers: 2, send: message => said.push(message), answerMs })
  metrics.serve(async () => OWN)
  return { metrics, said }
}

t.test('what all have answered is one text, with what the primary knows', async t => {
  const { metrics, said } = workerOne(60_000)
  const gathered = metrics.gather()
  t.equal(metrics.gather(), gathered, 'who asks meanwhile gets the same')
  t.strictSame(said, [{ kind: 'gather-metrics', question: 1 }])
  metrics.hear({ kind: 'metrics', question: 7, worker: 2, text: 'of another question' })
  metrics.hear({ kind: 'primary-metrics', question: 1, metrics: PRIMARY })
  metrics.hear({ kind: 'metrics', question: 1, worker: 2, text: OTHER })
  const text = await gathered
  for (const line of [
    'a{worker="1"} 1\na{worker="2"} 2\n', 'mics_worker_up{worker="1"} 1\n', 'mics_worker_up{worker="2"} 1\n',
    'mics_worker_restarts_total{worker="2"} 3\n', 'mics_primary_cpu_seconds_total 1.5\n', 'mics_primary_resident_memory_bytes 2048\n',
  ]) t.ok(text.includes(line), line)
})

t.test('who does not answer in time is left out and is not up, be it the primary', async t => {
  const { metrics } = workerOne(1)
  const text = await metrics.gather()
  t.match(text, /mics_worker_up\{worker="1"\} 1\nmics_worker_up\{worker="2"\} 0\n/)
  t.match(text, /a\{worker="1"\} 1\n$/)
  t.notMatch(text, /mics_primary/)
})

t.test('who is known to be gone is not waited for', async t => {
  const { metrics } = workerOne(60_000)
  const gathered = metrics.gather()
  metrics.hear({ kind: 'metrics', question: 1, worker: 2, text: undefined })
  metrics.hear({ kind: 'primary-metrics', question: 1, metrics: PRIMARY })
  t.match(await gathered, /mics_worker_up\{worker="2"\} 0\n/)
})

t.test('whoever else asks gets the metrics of this one', async t => {
  const { metrics, said } = workerOne(60_000)
  metrics.hear({ kind: 'metrics-wanted', by: 2, question: 5 })
  await new Promise<void>(resolve => setImmediate(resolve))
  t.strictSame(said, [{ kind: 'metrics-for', worker: 2, question: 5, text: OWN }])
})
