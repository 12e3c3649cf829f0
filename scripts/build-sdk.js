// Compiles the packages in sdk/ where they are missing or older than their sources; with a name, only that one.
// `npm run build:sdk`.
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { buildSync } from 'esbuild'

const root = fileURLToPath(new URL('..', import.meta.url))
const tsc = join(root, 'node_modules/typescript/bin/tsc')

const packages = ['client', 'hook-server']
const chosen = process.argv.slice(2)
const unknown = chosen.filter(name => !packages.includes(name))
if (unknown.length > 0) {
  console.error(`sdk/${unknown[0]} is no package: there are ${packages.join(' and ')}`)
  process.exit(1)
}

for (const name of chosen.length > 0 ? chosen : packages) {
  const folder = join(root, 'sdk', name)
  if (!isStale(folder)) continue
  for (const output of ['dist', 'miniprogram_dist']) rmSync(join(folder, output), { recursive: true, force: true })
  const { status } = spawnSync(process.execPath, [tsc, '-p', folder], { cwd: root, stdio: 'inherit' })
  if (status !== 0) {
    console.error(`sdk/${name} could not be built: the errors are above`)
    process.exit(1)
  }
  if (name === 'client') bundleClient(folder)
  writeFileSync(join(folder, 'dist/.built'), '')
}

/** What is used without a bundler: a script of a page, and a mini program. */
function bundleClient (folder) {
  const common = { absWorkingDir: folder, bundle: true, logLevel: 'warning' }
  const forPages = { ...common, format: 'esm', platform: 'browser', target: 'es2022', minify: true }
  const { outputFiles: [minified] } = buildSync({ ...forPages, entryPoints: ['src/browser.ts'], write: false })
  writeFileSync(join(folder, 'dist/browser.min.js'), minified.contents)
  buildSync({ ...forPages, entryPoints: ['src/protocol.ts'], outfile: 'dist/protocol.min.js' })
  buildSync({
    ...common,
    entryPoints: ['src/wechat.ts'],
    outfile: 'miniprogram_dist/index.js',
    format: 'cjs',
    platform: 'neutral',
    target: 'es2018',
  })
  // A mini program does not read `exports` of package.json: '@mics/client/wechat' is a file there.
  writeFileSync(join(folder, 'miniprogram_dist/wechat.js'), "module.exports = require('./index.js')\n")
  const sizes = `${minified.contents.length} bytes, ${gzipSync(minified.contents, { level: 9 }).length} gzipped`
  console.error(`sdk/client: dist/browser.min.js, the whole client for browsers, has ${sizes}`)
}

function isStale (folder) {
  const stamp = join(folder, 'dist/.built')
  if (!existsSync(stamp)) return true
  const built = statSync(stamp).mtimeMs
  const sources = readdirSync(join(folder, 'src'), { recursive: true }).map(path => join(folder, 'src', path))
  return [...sources, join(folder, 'tsconfig.json'), join(root, 'tsconfig.json'), fileURLToPath(import.meta.url)]
    .some(path => statSync(path).mtimeMs > built)
}
