/**
 * Makes what is generated in conformance/: the vectors, by protobuf-es and node:crypto alone, and the schema of
 * scenarios. `npm run generate:conformance`. With --check it only says what is not as it would be.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { dirname } from 'node:path'
import { scenarioSchema } from '../../lib/mock-gateway/scenario-schema.js'
import { vectorFiles } from './vectors.js'

const folder = new URL('../../conformance/', import.meta.url)
const files = new Map<string, string>([
  ['scenario.schema.json', json(scenarioSchema)],
  ...Object.entries(vectorFiles()).map(([name, content]) => [`vectors/${name}.json`, json(content)] as const),
])

const isCheck = process.argv.includes('--check')
const different = [...files].filter(([path, content]) => contentOf(path) !== content).map(([path]) => path)
const unknown = readdirSync(new URL('vectors/', folder)).map(name => `vectors/${name}`).filter(path => !files.has(path))
if (isCheck && different.length + unknown.length > 0) {
  console.error('conformance/ is not what scripts/conformance makes: run npm run generate:conformance, and commit what it changes.')
  for (const path of [...different, ...unknown]) console.error(`  conformance/${path}`)
  process.exitCode = 1
}
if (!isCheck) {
  for (const [path, content] of files) {
    const url = new URL(path, folder)
    mkdirSync(dirname(fileURLToPath(url)), { recursive: true })
    writeFileSync(url, content)
  }
}

function json (value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`
}

function contentOf (path: string): string | undefined {
  const url = new URL(path, folder)
  return existsSync(url) ? readFileSync(url, 'utf8') : undefined
}
