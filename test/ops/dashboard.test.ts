import { readFileSync } from 'node:fs'
import t from 'tap'
import { dashboard, type Dashboard } from '../../scripts/dashboard/dashboard.js'
import { root } from '../helpers/markdown.js'

const shipped = JSON.parse(readFileSync(`${root}helm/mics/files/dashboard.json`, 'utf8')) as Dashboard

t.test('the file is what its definition makes: npm run dashboard writes it anew', async t => {
  t.same(shipped, dashboard())
})

t.test('data source, node and tenant are chosen by the reader', async t => {
  t.same(shipped.templating.list.map(({ name }) => name), ['datasource', 'job', 'node', 'tenant'])
  t.equal(shipped.templating.list[0].type, 'datasource')
  const uids = JSON.stringify(shipped).match(/"uid":"[^"]+"/g) ?? []
  t.same([...new Set(uids)].sort(), ['"uid":"${datasource}"', '"uid":"mics"']) // eslint-disable-line no-template-curly-in-string
})

t.test('there is a row for each thing to look at', async t => {
  t.same(shipped.panels.filter(({ type }) => type === 'row').map(({ title }) => title),
    ['Overview', 'Per tenant', 'Per node', 'Hooks', 'Cluster', 'Events'])
})

t.test('panels have ids of their own, and none lies on another', async t => {
  const taken = new Set<string>()
  const ids = new Set(shipped.panels.map(({ id }) => id))
  t.equal(ids.size, shipped.panels.length)
  for (const { title, gridPos: { x, y, w, h } } of shipped.panels) {
    t.ok(x + w <= 24, `${title} is on the grid`)
    for (let column = x; column < x + w; column++) {
      for (let row = y; row < y + h; row++) {
        const place = `${column} ${row}`
        if (taken.has(place)) t.fail(`${title} lies on another panel at ${place}`)
        taken.add(place)
      }
    }
  }
})

t.test('queries keep to what was chosen, and to a span that fits the resolution', async t => {
  for (const { title, targets = [] } of shipped.panels) {
    for (const { expr } of targets) {
      t.match(expr, /\binstance=~"\$node"/, `${title}: ${expr}`)
      t.notMatch(expr, /\b(TENANT|NODE|RATE)\b/, title)
      t.notMatch(expr, /\[\d/, title)
    }
  }
})
