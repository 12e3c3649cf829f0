// Compiles to dist/ and puts beside it what the compiler does not copy. `npm run build`.
import { spawnSync } from 'node:child_process'
import { chmodSync, cpSync, existsSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const dist = join(root, 'dist')
const tsc = findTypescript()

if (tsc === undefined) {
  console.error('TypeScript is not installed, so nothing can be built: run `npm ci` (with development dependencies) first')
  process.exit(1)
}

rmSync(dist, { recursive: true, force: true })
// Nothing is written where a type is wrong: half a build must not pass for one.
const { status } = spawnSync(
  process.execPath,
  [tsc, '-p', join(root, 'tsconfig.build.json'), '--noEmitOnError'],
  { cwd: root, stdio: 'inherit' }
)
if (status !== 0) {
  console.error('The build failed: the errors are above, and dist/ is gone until it succeeds')
  process.exit(1)
}

const page = join(root, 'routes/dev/page')
if (existsSync(page)) cpSync(page, join(dist, 'routes/dev/page'), { recursive: true })
chmodSync(join(dist, 'cli/mics.js'), 0o755)
// Written last: build-if-stale.js takes a dist/ without it for the remains of an interrupted build.
writeFileSync(join(dist, '.built'), '')

function findTypescript () {
  try {
    return join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin/tsc')
  } catch (error) {
    if (error.code === 'MODULE_NOT_FOUND') return undefined
    throw error
  }
}
