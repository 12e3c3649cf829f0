import { readdirSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import t from 'tap'
import ts from 'typescript'
import { readDocument, root } from '../helpers/markdown.js'

const { include }: { include: string[] } = JSON.parse(readDocument('tsconfig.build.json'))
const { dependencies, optionalDependencies } = JSON.parse(readDocument('package.json'))

/** The sources of dist/, from the root. */
const sources = include
  .flatMap(path => path.endsWith('.ts')
    ? [path]
    : readdirSync(`${root}${path}`, { recursive: true, encoding: 'utf8' }).map(name => `${path}/${name}`))
  .filter(path => path.endsWith('.ts'))

/** The packages that a file asks for when it runs; those that it has only types of are gone by then. */
function packagesOf (path: string): string[] {
  const text = readDocument(path).replace(/^import type [^']*'[^']*'$/gm, '')
  return ts.preProcessFile(text, true, true).importedFiles.map(({ fileName }) => fileName)
    .filter(name => !/^[./]/.test(name) && !isBuiltin(name))
    .map(name => name.split('/').slice(0, name.startsWith('@') ? 2 : 1).join('/'))
}

t.test('what runs in production asks for no package that only development has', async t => {
  const wanted = new Map(sources.flatMap(path => packagesOf(path).map(name => [name, path])))
  t.ok(wanted.has('fastify'), 'imports are found')
  for (const [name, path] of wanted) t.ok(name in dependencies, `${name}, for ${path}`)
})

t.test('the Kafka client, which is imported by a name that the compiler does not see, is optional', async t => {
  const [, name] = /packageName: string = '([^']+)'/.exec(readDocument('lib/mq/kafka/load-client.ts')) ?? []
  t.ok(name in optionalDependencies, name)
})
