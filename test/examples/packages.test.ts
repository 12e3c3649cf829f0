import { existsSync, readdirSync, readFileSync } from 'node:fs'
import t from 'tap'
import { root } from '../helpers/markdown.js'

const read = (path: string) => JSON.parse(readFileSync(`${root}${path}/package.json`, 'utf8'))
const { scripts, dependencies, devDependencies, optionalDependencies } = read('.')
const installed: Record<string, string> = { ...dependencies, ...devDependencies, ...optionalDependencies }
for (const name of ['client', 'hook-server']) installed[`@mics/${name}`] = `^${read(`sdk/${name}`).version}`

const examples = readdirSync(`${root}examples`).filter(name => existsSync(`${root}examples/${name}/package.json`))

t.test('each example has its command, its page and its line in the index', async t => {
  t.ok(examples.length > 0)
  const index = readFileSync(`${root}examples/README.md`, 'utf8')
  for (const name of examples) {
    t.type(scripts[`example:${name}`], 'string', name)
    t.ok(existsSync(`${root}examples/${name}/README.md`), name)
    t.match(index, `npm run example:${name}`)
  }
})

t.test('each example asks for the versions with which it is tested', async t => {
  for (const name of examples) {
    const wanted = read(`examples/${name}`)
    for (const [dependency, version] of Object.entries({ ...wanted.dependencies, ...wanted.devDependencies })) {
      t.equal(version, installed[dependency], `${name}: ${dependency}`)
    }
  }
})

t.test('each example asks for all that it imports', async t => {
  for (const name of examples) {
    const wanted = read(`examples/${name}`)
    const files = readdirSync(`${root}examples/${name}`, { recursive: true, encoding: 'utf8' })
      .filter(path => /\.jsx?$/.test(path) && !/node_modules|miniprogram_npm|dist/.test(path))
    const sources = files.map(path => readFileSync(`${root}examples/${name}/${path}`, 'utf8')).join('\n')
    for (const [, imported] of sources.matchAll(/(?:from |import |require\()'((?:@[\w-]+\/)?[a-z][\w-]*)(?:\/[\w-]+)?'/g)) {
      t.ok(imported in { ...wanted.dependencies, ...wanted.devDependencies }, `${name}: ${imported}`)
    }
  }
})
