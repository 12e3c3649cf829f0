import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, join, relative } from 'node:path'
import t, { type Test } from 'tap'
import { parse } from 'yaml'
import { loadConfig } from '../../lib/config/load-config.js'
import { dashboard } from '../../scripts/dashboard/dashboard.js'
import { alertGroups } from '../helpers/alert-rules.js'
import { compose, environmentOf, filesOf } from '../helpers/compose.js'
import { startGateway } from '../helpers/gateway.js'
import { readDocument, root } from '../helpers/markdown.js'
import { checkNginx, configuration } from '../helpers/nginx-server.js'
import { promtool, withPrometheus } from '../helpers/prometheus-server.js'
import { PATIENT, until } from '../helpers/until.js'

/** What compose.yaml mounts from deploy/ into the services around the gateways. */

const { services } = compose
const gateways = Object.keys(services).filter(name => name.startsWith('gateway-'))
/** Where clients, and Prometheus, reach each gateway. */
const targets = gateways.map(name => `${name}:${loadConfig(environmentOf(services[name])).port}`)

/** A folder with the files that a service has in one, under their names there. */
function folderOf (t: Test, service: string, folder: string): string {
  const files = [...filesOf(services[service])].filter(([target]) => target.startsWith(folder))
  return t.testdir(Object.fromEntries(files.map(([target, source]) =>
    [basename(target), readFileSync(root + source, 'utf8')])))
}

t.test('nginx takes its configuration, and leads to all gateways', async t => {
  const folder = folderOf(t, 'nginx', '/etc/nginx/')
  const file = join(folder, 'gateways.conf')
  const list = readFileSync(file, 'utf8')
  t.same([...list.matchAll(/^server (\S+) resolve\b/gm)].map(([, server]) => server), targets)
  // The nginx of the tests may be too old to ask Docker for names while it runs, and would not know them.
  writeFileSync(file, list.replace(/^resolver .*;$/m, '').replaceAll(' resolve ', ' ').replace(/gateway-\d:/g, '127.0.0.1:'))
  writeFileSync(join(folder, 'nginx.conf'), configuration('127.0.0.1:8080', folder))
  t.equal(checkNginx(folder), '')
  writeFileSync(file, 'server')
  t.match(checkNginx(folder), 'gateways.conf', 'it does look at the list')
})

t.test('nginx listens where its port is published, and is asked for its health there', async t => {
  const [port] = /(?<=^ *listen )\d+/m.exec(readDocument('deploy/nginx/nginx.conf')) ?? []
  const { ports, healthcheck } = services.nginx
  t.same(ports?.map(published => published.split(':')[1]), [port])
  t.equal(healthcheck?.test?.at(-1), `http://127.0.0.1:${port}/healthz`)
})

t.test('promtool finds nothing wrong with the configuration of Prometheus and its rules', async t => {
  const folder = folderOf(t, 'prometheus', '/etc/prometheus/')
  const said = execFileSync(promtool(), ['check', 'config', join(folder, 'prometheus.yml')], { encoding: 'utf8' })
  t.match(said, `SUCCESS: ${alertGroups().flatMap(({ rules }) => rules).length} rules found`)
})

t.test('a Prometheus with this configuration finds gateways up, and evaluates the rules without an error', async t => {
  const running = await Promise.all(targets.map(async (_, i) => await startGateway(t, { NODE_ID: `node-${i}` }, PATIENT)))
  const folder = folderOf(t, 'prometheus', '/etc/prometheus/')
  const file = join(folder, 'prometheus.yml')
  let config = readFileSync(file, 'utf8')
  for (const [i, target] of targets.entries()) {
    t.match(config, target)
    config = config.replaceAll(target, new URL(running[i].url).host)
  }
  writeFileSync(file, config.replace(/_interval: 5s/g, '_interval: 1s'))
  const prometheus = await withPrometheus(t, { configFile: file })

  const hosts = running.map(({ url }) => new URL(url).host).sort()
  await until('both gateways are up', async () => (await prometheus.query('sum(up{job="mics"}) == 2')).length === 1)
  t.same((await prometheus.query('mics_node_info')).map(({ metric }) => metric.instance).sort(), hosts)
  type Rule = { health: string, lastError?: string }
  let rules: Rule[] = []
  await until('all rules are evaluated', async () => {
    rules = (await prometheus.get<{ groups: Array<{ rules: Rule[] }> }>('rules')).groups.flatMap(group => group.rules)
    return rules.length > 0 && rules.every(({ health }) => health !== 'unknown')
  })
  t.same(rules.filter(({ health }) => health !== 'ok'), [])
})

t.test('Grafana reads that Prometheus, and nobody has to choose it', async t => {
  const { datasources } = parse(readDocument('deploy/grafana/datasource.yaml'))
  t.match(datasources, [{ type: 'prometheus', access: 'proxy', url: 'http://prometheus:9090', isDefault: true }])
  t.equal(datasources.length, 1, 'where there is one, a choice of data source has one')
  const { global } = parse(readDocument('deploy/prometheus/prometheus.yml'))
  t.equal(datasources[0].jsonData.timeInterval, global.scrape_interval)
  const choice = dashboard().templating.list.find(({ type }) => type === 'datasource')
  t.match(choice, { query: datasources[0].type, current: {} })
})

t.test('Grafana finds its files where it looks, and opens with the dashboard', async t => {
  const files = filesOf(services.grafana)
  t.equal(files.get('/etc/grafana/provisioning/datasources/mics.yaml'), 'deploy/grafana/datasource.yaml')
  t.equal(files.get('/etc/grafana/provisioning/dashboards/mics.yaml'), 'deploy/grafana/dashboards.yaml')
  const { providers: [{ type, options: { path } }] } = parse(readDocument('deploy/grafana/dashboards.yaml'))
  t.equal(type, 'file')
  t.equal(files.get(`${path}/mics.json`), 'helm/mics/files/dashboard.json')
  t.equal(services.grafana.environment?.GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH, `${path}/mics.json`)
})

t.test('all that is in deploy/ is used', async t => {
  const mounted = Object.values(services).flatMap(service => [...filesOf(service).values()])
  const shipped = readdirSync(`${root}deploy`, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile()).map(({ parentPath, name }) => relative(root, join(parentPath, name)))
  t.same(shipped.sort(), mounted.filter(file => file.startsWith('deploy/')).sort())
})
