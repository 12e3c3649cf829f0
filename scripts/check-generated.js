// Is the generated code what buf makes of proto/ now? Generates into a temporary folder; the tree stays as it is.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

/** What `npm run generate` runs, and the folder that it fills. */
const templates = {
  'buf.gen.yaml': 'lib/gen',
  'sdk/hook-server/buf.gen.yaml': 'sdk/hook-server/src/gen',
}

const root = fileURLToPath(new URL('..', import.meta.url))
const bin = join(root, 'node_modules/.bin')
const output = mkdtempSync(join(tmpdir(), 'mics-gen-'))

try {
  process.exitCode = Math.max(...Object.entries(templates).map(([template, folder]) => check(template, folder)))
} finally {
  rmSync(output, { recursive: true, force: true })
}

function check (template, folder) {
  // buf finds its plugin on the PATH, which has node_modules/.bin only under `npm run`.
  const env = { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH ?? ''}` }
  const { status, error } = spawnSync(join(bin, 'buf'), ['generate', '--template', template, '-o', output], {
    cwd: root, env, stdio: 'inherit',
  })
  if (status !== 0) {
    console.error(`buf generate failed${error === undefined ? '' : ` (${error.message})`}: run \`npm ci\` if it is not installed, else see its message above`)
    return 1
  }
  const committed = join(root, folder)
  const fresh = join(output, folder)
  const paths = new Set([...filesIn(fresh), ...filesIn(committed)])
  const different = [...paths].filter(path => contentOf(join(fresh, path)) !== contentOf(join(committed, path))).sort()
  if (different.length === 0) return 0
  console.error(`${folder} is not what proto/ says: run npm run generate, and commit what it changes.\n${different.map(path => `  ${folder}/${path}`).join('\n')}`)
  return 1
}

function filesIn (folder) {
  if (!existsSync(folder)) return []
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile())
    .map(entry => relative(folder, join(entry.parentPath ?? entry.path, entry.name)))
}

function contentOf (path) {
  return existsSync(path) ? readFileSync(path, 'utf8') : undefined
}
