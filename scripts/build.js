// Compiles to dist/ and puts beside it what the compiler does not copy. `npm run build`.
import { spawnSync } from 'node:child_process'
import { chmodSync, cpSync, rmSync, writeFileSync } from 'node:fs'
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
// The page is made of the client for browsers.
run([join(root, 'scripts/build-sdk.js'), 'client'])
// Nothing is written where a type is wrong: half a build must not pass for one.
run([tsc, '-p', join(root, 'tsconfig.build.json'), '--noEmitOnError'])

cpSync(join(root, 'routes/dev/page'), join(dist, 'routes/dev/page'), { recursive: true })
// At the same place as in the sources: demo-page.js looks for them there.
for (const bundle of ['browser.min.js', 'protocol.min.js']) {
  cpSync(join(root, 'sdk/client/dist', bundle), join(dist, 'sdk/client/dist', bundle))
}
chmodSync(join(dist, 'cli/mics.js'), 0o755)
// Written last: build-if-stale.js takes a dist/ without it for the remains of an interrupted build.
writeFileSync(join(dist, '.built'), '')

function run (command) {
  if (spawnSync(process.execPath, command, { cwd: root, stdio: 'inherit' }).status === 0) return
  console.error('The build failed: the errors are above, and dist/ is gone until it succeeds')
  process.exit(1)
}

function findTypescript () {
  try {
    return join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin/tsc')
  } catch (error) {
    if (error.code === 'MODULE_NOT_FOUND') return undefined
    throw error
  }
}
