import { spawnSync } from 'node:child_process'
import {
  chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { kafkaVersion } from '../../scripts/find-kafka.js'

const root = fileURLToPath(new URL('../../', import.meta.url))
const client = 'node_modules/@confluentinc/kafka-javascript'

/** Where programs of the test's own come before those of the system, and the cache is empty. */
function place (t: Test): { folder: string, env: NodeJS.ProcessEnv } {
  // Not in the test's own folder: that is within this project, whose packages would be found from there.
  const folder = mkdtempSync(join(tmpdir(), 'mics-kafka-scripts-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const { PATH, HOME } = process.env
  const path = `${join(folder, 'bin')}${delimiter}${PATH}`
  return { folder, env: { PATH: path, HOME, FOLDER: folder, XDG_CACHE_HOME: join(folder, 'cache') } }
}

function write (path: string, text: string, mode = 0o644): void {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, text)
  chmodSync(path, mode)
}

function program (folder: string, name: string, lines: string): void {
  write(join(folder, 'bin', name), `#!/bin/sh\n${lines}\n`, 0o755)
}

/** A project whose client loads where its binary says `good`, and whose npm and node-gyp are the test's own. */
function project (t: Test) {
  const { folder, env } = place(t)
  cpSync(join(root, 'scripts'), join(folder, 'scripts'), { recursive: true })
  write(join(folder, 'package.json'), '{ "type": "module" }')
  write(join(folder, 'package-lock.json'), JSON.stringify({ packages: { [client]: { version: '1.2.3' } } }))
  write(join(folder, 'registry/package.json'), '{ "version": "1.2.3", "main": "index.js" }')
  write(join(folder, 'registry/deps/librdkafka.gyp'), '"action": ["make", "-j", "-C", "librdkafka"]')
  write(join(folder, 'registry/index.js'), `
    const { readFileSync } = require('node:fs')
    readFileSync(__dirname + '/build/deps/librdkafka.so.1')
    if (readFileSync(__dirname + '/build/Release/client.node', 'utf8') !== 'good') process.abort()
  `)
  // The real ones of the system would run scripts, and take minutes.
  program(folder, 'npm', `echo "npm $*" >> "$FOLDER/did"; mkdir -p "$FOLDER/${client}"; cp -r "$FOLDER/registry/." "$FOLDER/${client}"`)
  write(join(folder, 'bin/node_modules/node-gyp/bin/node-gyp.js'), `
    const { appendFileSync, cpSync, existsSync, mkdirSync, writeFileSync } = require('node:fs')
    const command = process.argv[2]
    appendFileSync(process.env.FOLDER + '/did', 'node-gyp ' + command + ' ' + process.env.CKJS_LINKING + '\\n')
    console.log('compiler: this and that')
    if (existsSync(process.env.FOLDER + '/broken')) process.exit(1)
    cpSync('deps/librdkafka.gyp', process.env.FOLDER + '/librdkafka.gyp')
    if (command === 'rebuild') { writeFileSync('config.h', ''); process.exit(1) }
    if (!existsSync('config.h')) process.exit(1)
    for (const folder of ['build/Release/obj', 'build/deps']) mkdirSync(folder, { recursive: true })
    writeFileSync('build/Release/client.node', 'good')
    for (const name of ['librdkafka.so.1', 'librdkafka.a', '../Release/obj/x.o']) writeFileSync('build/deps/' + name, '')
  `)
  // Whether this machine has a compiler and the headers is not the matter here.
  program(folder, 'g++', 'exit 0')
  for (const name of ['make', 'python3']) program(folder, name, 'exit 0')
  const log = join(folder, 'did')
  return {
    folder,
    cache: join(folder, 'cache/mics'),
    install: () => spawnSync(process.execPath, [join(folder, 'scripts/install-kafka-client.js')], { cwd: folder, encoding: 'utf8', env }),
    did: () => {
      const lines = existsSync(log) ? readFileSync(log, 'utf8').trimEnd().split('\n') : []
      rmSync(log, { force: true })
      return lines
    },
  }
}

t.test('a client that npm left out is installed and built, and nothing remains of the build but what it needs', async t => {
  const { folder, install, cache, did } = project(t)
  t.match(install(), { status: 0, stdout: /left out.*(\n.*)*Building.*(\n.*)*built, and kept in/, stderr: '' })
  const [npm, ...builds] = did()
  t.match(npm, /^npm install --no-save --ignore-scripts --include=optional .*--include=dev$/)
  t.strictSame(builds, ['node-gyp rebuild dynamic', 'node-gyp build dynamic'], 'the second pass goes on where the first stopped')
  t.match(readFileSync(join(folder, 'librdkafka.gyp'), 'utf8'), /"make", "-j\d+", "-C"/, 'no more compilers at once than processors')
  const built = readdirSync(join(folder, client), { recursive: true }).map(String).filter(name => name.startsWith('build/')).sort()
  t.strictSame(built, ['build/Release', 'build/Release/client.node', 'build/deps', 'build/deps/librdkafka.so.1'])
  t.strictSame(readdirSync(cache).map(name => name.split('-').slice(0, 3).join('-')), ['kafka-client-1.2.3'])

  t.match(install(), { status: 0, stdout: '', stderr: '' }, 'it loads: there is nothing to do')
  t.strictSame(did(), [])
})

t.test('another checkout takes the built files from the cache, and builds where they are of no use', async t => {
  const { folder, install, cache, did } = project(t)
  install()
  did()
  rmSync(join(folder, 'node_modules'), { recursive: true })
  t.match(install(), { status: 0, stdout: /built files taken from/ })
  t.match(did(), [/^npm /])

  const [kept] = readdirSync(cache)
  writeFileSync(join(cache, kept, 'build/Release/client.node'), 'goo')
  writeFileSync(join(folder, client, 'build/Release/client.node'), '')
  t.match(install(), { status: 0, stdout: /built, and kept in/ }, 'cut off')
  t.equal(readFileSync(join(cache, kept, 'build/Release/client.node'), 'utf8'), 'good')
  for (const lost of ['build/deps', 'build/deps/librdkafka.so.1', 'build']) {
    rmSync(join(cache, kept, lost), { recursive: true })
    rmSync(join(folder, client, 'build'), { recursive: true })
    t.match(install(), { status: 0, stdout: /built, and kept in/ }, `without ${lost}`)
  }
})

t.test('development dependencies that were left out stay out', async t => {
  const { folder, install, did } = project(t)
  write(join(folder, 'node_modules/.package-lock.json'), JSON.stringify({ packages: { 'node_modules/a': { version: '1.0.0' } } }))
  install()
  t.match(did()[0], /--omit=dev$/)
})

t.test('a build that fails is told with the end of its log, and leaves nothing', async t => {
  const { folder, install, cache } = project(t)
  writeFileSync(join(folder, 'broken'), '')
  t.match(install(), { status: 1, stderr: /compiler: this and that\nThe Kafka client could not be built/ })
  t.notOk(existsSync(join(folder, client, 'build')))
  t.notOk(existsSync(cache))
})

t.test('a built client that cannot be kept is there all the same', async t => {
  const { folder, install } = project(t)
  writeFileSync(join(folder, 'cache'), 'not a folder')
  t.match(install(), { status: 0, stderr: /could not be kept in/ })
  t.match(install(), { status: 0, stdout: '', stderr: '' })
})

/** Runs install-kafka.js where Java and Maven are the test's own. */
function kafka (t: Test, { java = 'echo \'openjdk version "17.0.1"\' >&2', maven = 'exit 0' } = {}) {
  const { folder, env } = place(t)
  if (java !== '') program(folder, 'java', java)
  program(folder, 'mvn', maven)
  const libs = join(folder, 'cache/mics', `kafka-${kafkaVersion}`, 'libs')
  return {
    libs,
    install: (more: NodeJS.ProcessEnv = {}) =>
      spawnSync(process.execPath, [join(root, 'scripts/install-kafka.js')], { encoding: 'utf8', env: { ...env, ...more } }),
  }
}

/** The last argument of the script's call is where the jars go. */
const download = 'for last; do :; done; echo jar > "$(echo "$last" | cut -d = -f 2)/kafka_2.13-1.0.jar"'

t.test('Kafka is fetched once', async t => {
  const { install, libs } = kafka(t, { maven: download })
  t.match(install(), { status: 0, stdout: /^Fetching Apache Kafka/ })
  t.strictSame(readdirSync(libs), ['kafka_2.13-1.0.jar'])
  t.match(install(), { status: 0, stdout: '' })
})

t.test('a download that breaks off is not taken for one that is complete', async t => {
  const { install, libs } = kafka(t, { maven: `${download}; exit 1` })
  t.match(install(), { status: 1, stderr: /Maven could not fetch Apache Kafka/ })
  t.strictSame(readdirSync(dirname(libs)), [])
})

t.test('a Kafka of one\'s own is taken as it is', async t => {
  const { install } = kafka(t, { maven: 'exit 1' })
  const own = t.testdir({ 'kafka_2.13-4.0.0.jar': '' })
  t.match(install({ KAFKA_LIBS_DIR: own }), { status: 0, stdout: '', stderr: '' })
  t.strictSame(readdirSync(own), ['kafka_2.13-4.0.0.jar'])
  t.match(install({ KAFKA_LIBS_DIR: '/nowhere' }), { status: 1, stderr: /^KAFKA_LIBS_DIR=\/nowhere is not a folder with the jars of Kafka/ })
})

t.test('a Java that is too old is told', async t => {
  const { install } = kafka(t)
  const { folder } = place(t)
  program(folder, 'java', 'echo \'openjdk version "11.0.2"\' >&2')
  t.match(install({ JAVA_PATH: join(folder, 'bin/java') }), { status: 1, stderr: /^JAVA_PATH=.* is no Java of version 17 or newer/ })
})
