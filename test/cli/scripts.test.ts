import { spawnSync } from 'node:child_process'
import {
  appendFileSync, chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'

const root = fileURLToPath(new URL('../../', import.meta.url))

/** A project of a few lines with this one's scripts and, where asked for, its packages. */
function project (t: Test, { packages = true } = {}): string {
  // Not in the test's own folder: that is within this project, whose packages would be found from there.
  const folder = mkdtempSync(join(tmpdir(), 'mics-scripts-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
  writeFileSync(join(folder, 'server.ts'), 'export const server: number = 1\n')
  mkdirSync(join(folder, 'scripts'))
  for (const name of ['build.js', 'build-if-stale.js', 'build-sdk.js', 'check-generated.js']) {
    cpSync(join(root, 'scripts', name), join(folder, 'scripts', name))
  }
  for (const name of ['tsconfig.json', 'tsconfig.build.json']) cpSync(join(root, name), join(folder, name))
  mkdirSync(join(folder, 'cli'))
  mkdirSync(join(folder, 'routes/dev/page'), { recursive: true })
  writeFileSync(join(folder, 'cli/mics.ts'), "#!/usr/bin/env node\nconsole.log('built')\nexport {}\n")
  writeFileSync(join(folder, 'routes/dev/page/index.html'), '<!doctype html>')
  mkdirSync(join(folder, 'sdk/client/src'), { recursive: true })
  cpSync(join(root, 'sdk/client/tsconfig.json'), join(folder, 'sdk/client/tsconfig.json'))
  for (const name of ['browser', 'protocol', 'wechat']) {
    writeFileSync(join(folder, 'sdk/client/src', `${name}.ts`), `export const name: string = '${name}'\n`)
  }
  if (packages) symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
  return folder
}

function run (folder: string, script: string, ...args: string[]) {
  return spawnSync(process.execPath, [join(folder, 'scripts', script), ...args], { cwd: folder, encoding: 'utf8' })
}

t.test('build compiles, copies the page and the client it is made of, and makes the command executable', async t => {
  const folder = project(t)
  mkdirSync(join(folder, 'dist'))
  writeFileSync(join(folder, 'dist/old.js'), '')
  t.match(run(folder, 'build.js'), { status: 0 })
  t.notOk(existsSync(join(folder, 'dist/old.js')), 'what was there before is gone')
  t.ok(existsSync(join(folder, 'dist/routes/dev/page/index.html')))
  for (const [bundle, name] of [['browser.min.js', 'browser'], ['protocol.min.js', 'protocol']]) {
    t.match(readFileSync(join(folder, 'dist/sdk/client/dist', bundle), 'utf8'), `"${name}"`)
  }
  t.equal(spawnSync(join(folder, 'dist/cli/mics.js'), { encoding: 'utf8' }).stdout, 'built\n')
})

t.test('a build that fails leaves nothing that could be started', async t => {
  const folder = project(t)
  writeFileSync(join(folder, 'server.ts'), 'export const server: number = "one"\n')
  t.match(run(folder, 'build.js'), { status: 1, stdout: /server\.ts/, stderr: /The build failed/ })
  t.notOk(existsSync(join(folder, 'dist/cli/mics.js')))
  t.equal(run(folder, 'build-if-stale.js').status, 1)
})

t.test('a build whose client fails leaves nothing that could be started, either', async t => {
  const folder = project(t)
  writeFileSync(join(folder, 'sdk/client/src/browser.ts'), 'export const name: string = 1\n')
  t.match(run(folder, 'build.js'), { status: 1, stdout: /browser\.ts/, stderr: /sdk\/client could not be built(.|\n)*The build failed/ })
  t.notOk(existsSync(join(folder, 'dist/cli/mics.js')))
})

t.test('build-sdk builds a package that was named, and says so where there is none of that name', async t => {
  const folder = project(t)
  t.match(run(folder, 'build-sdk.js', 'server'), { status: 1, stderr: /sdk\/server is no package: there are client and hook-server/ })
  t.match(run(folder, 'build-sdk.js', 'client'), { status: 0 })
  t.ok(existsSync(join(folder, 'sdk/client/dist/browser.min.js')))
})

t.test('build-if-stale builds where sources are newer, and only there', async t => {
  const folder = project(t)
  t.match(run(folder, 'build-if-stale.js'), { status: 0, stderr: /building it/ })
  t.match(run(folder, 'build-if-stale.js'), { status: 0, stderr: '' })

  const future = new Date(Date.now() + 60_000)
  const past = new Date(0)
  const paths = [
    'routes/dev/page/index.html', 'sdk/client/src/node.ts', 'sdk/client/src/browser.ts', 'sdk/hook-server/src/index.ts',
  ]
  for (const path of paths) {
    const source = join(folder, path)
    mkdirSync(dirname(source), { recursive: true })
    if (!existsSync(source)) writeFileSync(source, 'export {}\n')
    utimesSync(source, future, future)
    t.match(run(folder, 'build-if-stale.js'), { status: 0, stderr: /building it/ }, path)
    utimesSync(source, past, past)
  }
})

t.test('without TypeScript a built project goes on, and another says what to do', async t => {
  const folder = project(t, { packages: false })
  t.match(run(folder, 'build-if-stale.js'), { status: 1, stderr: /TypeScript is not installed to build it: run `npm ci`/ })
  mkdirSync(join(folder, 'dist/cli'), { recursive: true })
  writeFileSync(join(folder, 'dist/cli/mics.js'), '')
  t.match(run(folder, 'build-if-stale.js'), { status: 0, stderr: '' })
})

t.test('generated code that is not what proto says is found, and left as it is', async t => {
  const folder = project(t)
  const generation = ['proto', 'lib/gen', 'buf.yaml', 'buf.gen.yaml', 'sdk/hook-server/buf.gen.yaml', 'sdk/hook-server/src/gen']
  for (const name of generation) cpSync(join(root, name), join(folder, name), { recursive: true })
  t.match(run(folder, 'check-generated.js'), { status: 0, stderr: '' })

  const generated = join(folder, 'lib/gen/mics/hook/v1/hook_pb.ts')
  appendFileSync(generated, '// edited\n')
  writeFileSync(join(folder, 'lib/gen/extra.ts'), '')
  t.match(run(folder, 'check-generated.js'), {
    status: 1,
    stderr: /run npm run generate, and commit what it changes\.\n {2}lib\/gen\/extra\.ts\n {2}lib\/gen\/mics\/hook\/v1\/hook_pb\.ts\n$/,
  })
  t.match(readFileSync(generated, 'utf8'), /\/\/ edited\n$/)
  rmSync(join(folder, 'sdk/hook-server/src/gen/mics/hook/v1/hook_pb.ts'))
  t.match(run(folder, 'check-generated.js'), { stderr: /\n {2}sdk\/hook-server\/src\/gen\/mics\/hook\/v1\/hook_pb\.ts\n$/ })
})

for (const { script, variable, program } of [
  { script: 'install-chromium.js', variable: 'CHROMIUM_PATH', program: 'chromium' },
  { script: 'install-redis.js', variable: 'REDIS_SERVER_PATH', program: 'redis-server' },
]) {
  /** Runs the installing script where PATH is a folder of the given programs: shell scripts by name. */
  function install (t: Test, programs: Record<string, string>, env: NodeJS.ProcessEnv = {}) {
    const folder = t.testdir(Object.fromEntries(
      Object.entries(programs).map(([name, lines]) => [name, `#!/bin/sh\n${lines}\n`])))
    for (const name of Object.keys(programs)) chmodSync(join(folder, name), 0o755)
    return spawnSync(process.execPath, [join(root, 'scripts', script)], { encoding: 'utf8', env: { PATH: folder, FOLDER: folder, ...env } })
  }

  t.test(`${script} says nothing where there is one, on PATH or by ${variable}`, async t => {
    t.match(install(t, { [program]: '' }), { status: 0, stdout: '', stderr: '' })
    t.match(install(t, {}, { [variable]: process.execPath }), { status: 0, stdout: '', stderr: '' })
  })

  t.test(`${script} says what to do where it cannot install`, async t => {
    t.match(install(t, {}), { status: 1, stderr: new RegExp(`none was found|no ${program} was found`) })
    t.match(install(t, {}), { stderr: new RegExp(`apt-get install .*${program}.*(\n.*)*${variable}`) })
    t.match(install(t, { [program]: '' }, { [variable]: '/nowhere' }), {
      status: 1, stderr: new RegExp(`^${variable}=/nowhere is not an executable file`),
    })
  })

  t.test(`${script} installs as root`, { skip: process.getuid?.() === 0 ? false : 'not root' }, async t => {
    const apt = `case "$1" in install) echo '#!/bin/sh' > "$FOLDER/${program}"; /bin/chmod +x "$FOLDER/${program}"; esac`
    t.match(install(t, { 'apt-get': apt }), {
      status: 0, stdout: new RegExp(`> apt-get update\n> apt-get install -y --no-install-recommends ${program}\n`),
    })
    t.match(install(t, { 'apt-get': '' }), { status: 1, stderr: /^apt-get installed .* yet there is no/ })
    t.match(install(t, { 'apt-get': '[ "$1" = --version ]' }), { status: 1, stderr: /^apt-get could not install/ })
  })
}
