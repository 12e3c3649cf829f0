import { readFileSync } from 'node:fs'
import t from 'tap'
import { defaultText, environmentVariables } from '../../lib/config/environment.js'
import { checkTenantsFile } from '../../lib/tenants/tenants-file-schema.js'
import { parseTenantsFile } from '../../lib/tenants/tenants-file.js'

const doc = readFileSync(new URL('../../docs/configuration.md', import.meta.url), 'utf8')

/** The cells of the table rows between two headings, without the code marks. */
function rows (from: string, to: string): string[][] {
  const part = doc.slice(doc.indexOf(from), doc.indexOf(to))
  return part.split('\n')
    .filter(line => line.startsWith('| `'))
    .map(line => line.split('|').slice(1, -1).map(cell => cell.trim().replace(/^`(.*)`$/, '$1')))
}

t.test('the documentation names exactly the variables there are', async t => {
  const documented = rows('## Variables', '## Tenants by variables').map(([name]) => name)
  t.strictSame(documented.toSorted(), environmentVariables.map(({ name }) => name).toSorted())
})

t.test('it has their defaults and ranges right', async t => {
  const documented = new Map(rows('## Variables', '## Tenants by variables').map(([name, ...cells]) => [name, cells]))
  for (const variable of environmentVariables) {
    const [byDefault, range, meaning] = documented.get(variable.name) ?? []
    t.equal(byDefault, defaultText(variable), `${variable.name}: default`)
    if (variable.type === 'integer') t.equal(range, `${variable.min} to ${variable.max}`, `${variable.name}: range`)
    t.equal(meaning, variable.help, `${variable.name}: meaning`)
  }
})

t.test('its example of a tenants file is one', async t => {
  const example = /```yaml\n(.*?)```/s.exec(doc)?.[1] ?? ''
  t.strictSame(parseTenantsFile('example', Buffer.from(example)).map(({ id }) => id), ['acme', 'globex'])
})

t.test('its table of tenant settings says what the file takes', async t => {
  const settings = rows('`defaults` takes any of these', '### Changing the file')
  t.equal(settings.length, 18)
  for (const [name = '', , inDefaults = '', inCaps = ''] of settings) {
    for (const [where, takes] of [['defaults', inDefaults], ['caps', inCaps]] as const) {
      const accepts = (value: unknown): boolean =>
        'valid' in checkTenantsFile({ tenants: { acme: { authUrl: 'http://x', [where]: { [name]: value } } } })
      const range = /^(\d+) to (\d+)$/.exec(takes)
      if (range !== null) {
        const [min, max] = [Number(range[1]), Number(range[2])]
        t.strictSame([min - 1, min, max, max + 1].map(accepts), [false, true, true, false], `${where}.${name}`)
      } else {
        const good = { '': undefined, 'true or false': true, text: 'x', 'http or https URL': 'http://x' }[takes]
        t.equal(accepts(good ?? 1), good !== undefined, `${where}.${name}`)
      }
    }
  }
})
