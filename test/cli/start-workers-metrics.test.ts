import t from 'tap'
import { request } from 'undici'
import { withPrometheus } from '../helpers/prometheus-server.js'
import { until } from '../helpers/until.js'
import { linesOf, sample, Workers } from '../process/workers.js'

/** By a connection of its own, which the next worker gets. */
async function scrape (url: string): Promise<string> {
  return await (await request(`${url}/metrics`, { reset: true })).body.text()
}

t.test('whichever worker is asked has the metrics of all, each with its label', async t => {
  const workers = await Workers.start(t, 2)
  const { url } = workers
  await workers.connectToEach(url, ['gw-1', 'gw-2'])
  // Connections go to the workers in turn, so that each is asked.
  for (let scrapes = 0; scrapes < 4; scrapes++) {
    const metrics = await scrape(url)
    for (const worker of [1, 2]) {
      t.ok(Number(sample(metrics, `mics_connections{worker="${worker}",tenant="t1"}`)) >= 1, 'what the gateway counts')
      t.ok(Number(sample(metrics, `process_cpu_seconds_total{worker="${worker}"}`)) > 0, 'what prom-client knows')
      t.equal(sample(metrics, `mics_worker_up{worker="${worker}"}`), 1)
      t.equal(sample(metrics, `mics_worker_restarts_total{worker="${worker}"}`), 0)
    }
    t.ok(Number(sample(metrics, 'mics_primary_cpu_seconds_total')) > 0)
    t.ok(Number(sample(metrics, 'mics_primary_resident_memory_bytes')) > 0)
    const types = [...metrics.matchAll(/^# TYPE (\w+)/gm)].map(([, name]) => name)
    t.equal(new Set(types).size, types.length, 'each metric has its type once')
    t.same(metrics.split('\n').filter(line => /^(mics_(?!worker|primary)|process|nodejs|http)/.test(line) && !line.includes('worker="')), [],
      'nothing is without its worker')
  }
})

t.test('a worker that stands still has no metrics, mics_worker_up says so, and another takes its place', async t => {
  const { mics, url, pids } = await Workers.start(t, 2)
  process.kill(pids[0], 'SIGSTOP')
  t.teardown(() => { try { process.kill(pids[0], 'SIGKILL') } catch {} })
  // The connection may be handed to the one that stands still, which never answers.
  const ask = async (): Promise<string> => await Promise.any([scrape(url), scrape(url)])
  const still = await ask()
  t.equal(sample(still, 'mics_worker_up{worker="1"}'), 0)
  t.equal(sample(still, 'mics_worker_up{worker="2"}'), 1)
  t.equal(sample(still, 'mics_cluster_members{worker="1"}'), undefined)
  await mics.prints(/"a worker does not answer any more: it is killed"/)
  await mics.prints(/"a worker is back"/)
  await until('both tell again', async () => sample(await scrape(url), 'mics_cluster_members{worker="1"}') !== undefined)
  const again = await scrape(url)
  t.equal(sample(again, 'mics_worker_up{worker="1"}'), 1)
  t.equal(sample(again, 'mics_worker_restarts_total{worker="1"}'), 1)
  t.equal(linesOf(mics, /^a worker has ended/).length, 1)
})

t.test('a Prometheus sees the workers as series of one instance', async t => {
  const workers = await Workers.start(t, 2)
  await workers.connectToEach(workers.url, ['gw-1', 'gw-2'])
  const prometheus = await withPrometheus(t, { targets: [new URL(workers.url).host] })
  await until('it has scraped', async () => (await prometheus.query('mics_worker_up')).length === 2)
  t.equal((await prometheus.query('up')).length, 1)
  const nodes = await prometheus.query('mics_node_info')
  t.same(new Set(nodes.map(({ metric }) => `${metric.worker} ${metric.node}`)), new Set(['1 gw-1', '2 gw-2']))
  t.ok(Number((await prometheus.query('sum by (instance) (mics_connections)'))[0]?.value[1]) >= 2)
})
