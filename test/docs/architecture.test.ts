import { existsSync, readdirSync } from 'node:fs'
import t from 'tap'
import { codeIn, readDocument, root, section, tableRows } from '../helpers/markdown.js'

const architecture = readDocument('docs/architecture.md')

t.test('the table of plugins has every plugin, in the order of registration', async t => {
  const documented = tableRows(section(architecture, 'Plugins')).slice(1).map(([name]) => codeIn(name)[0])
  const registered = [...readDocument('app.ts').matchAll(/from '\.\/plugins\/([\w-]+)\.js'/g)].map(([, name]) => name)
  t.same([...documented].sort(), registered.sort())
  t.same([...documented].sort(), readdirSync(`${root}plugins`).map(file => file.replace(/\.ts$/, '')).sort())

  const order = [...readDocument('app.ts').matchAll(/register\((\w+)/g)].map(([, variable]) => variable)
  const position = (name: string): number => order.indexOf(name.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase()))
  t.same(documented, [...documented].sort((one, other) => position(one) - position(other)))
})

t.test('every file and folder that it names exists', async t => {
  for (const path of codeIn(architecture).filter(code => /^[\w./-]+(\/|\.ts)$/.test(code))) {
    t.ok(existsSync(`${root}${path}`), path)
  }
})

t.test('every file and folder that CONTRIBUTING.md names exists, but those of its example', async t => {
  const example = ['lib/memory/', 'plugins/memory-watch.ts']
  for (const path of codeIn(readDocument('CONTRIBUTING.md')).filter(code => /^[\w./-]+(\/|\.ts)$/.test(code))) {
    if (!example.some(start => path.startsWith(start))) t.ok(existsSync(`${root}${path}`), path)
  }
})
