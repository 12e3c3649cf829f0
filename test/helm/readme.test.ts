import t from 'tap'
import { parse } from 'yaml'
import { describedValues, valuesTable, withTable } from '../../scripts/helm-chart/values-table.js'
import { readDocument } from '../helpers/markdown.js'

const readme = readDocument('helm/mics/README.md')
const values = describedValues(readDocument('helm/mics/values.yaml'))

/** The value at a path of values.yaml. */
function valueAt (path: string): unknown {
  return path.split('.').reduce((value: any, key) => value[key], parse(readDocument('helm/mics/values.yaml')))
}

t.test('the table of values is what values.yaml makes it: `npm run generate:chart` writes it', async t => {
  t.equal(readme, withTable(readme, valuesTable(values)))
})

t.test('it has every value there is, with its default', async t => {
  for (const { path, byDefault } of values.filter(({ byDefault }) => byDefault !== '')) {
    t.strictSame(valueAt(path), JSON.parse(byDefault), path)
  }
  const leaves = (value: unknown, path: string): string[] => {
    const documented = values.some(entry => entry.path === path && entry.byDefault !== '')
    if (documented || typeof value !== 'object' || value === null) return [path]
    return Object.entries(value).flatMap(([key, inner]) => leaves(inner, path === '' ? key : `${path}.${key}`))
  }
  const paths = leaves(parse(readDocument('helm/mics/values.yaml')), '')
  t.strictSame(values.filter(({ byDefault }) => byDefault !== '').map(({ path }) => path), paths)
})

t.test('every value, or what it is a part of, is explained', async t => {
  const explained = new Set(values.filter(({ description }) => description !== '').map(({ path }) => path))
  for (const { path } of values) {
    const parts = path.split('.')
    t.ok(parts.some((_, index) => explained.has(parts.slice(0, index + 1).join('.'))), path)
  }
})

t.test('no description breaks the table', async t => {
  for (const { path, description, byDefault } of values) t.notMatch(`${description}${byDefault}`, /[|\n]/, path)
})
