// Makes sure that the Kafka client loads. Its package is optional: npm leaves it out where its binary can neither be
// downloaded nor built at once, and nothing but events needs it. `npm test` runs this first; `npm run kafka:client` is
// for a gateway that is run from its sources.
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { ensureInstalled } from './apt-install.js'
import { cacheFolder } from './cache-folder.js'
import { buildClient } from './kafka-client/build.js'
import { findBuildTools } from './kafka-client/build-tools.js'
import { keepBuiltFiles, restoreBuiltFiles } from './kafka-client/built-files.js'

const root = fileURLToPath(new URL('..', import.meta.url))
const name = '@confluentinc/kafka-javascript'
const folder = join(root, 'node_modules', name)

if (!loads()) {
  const version = lockedVersion()
  if (!isVersionThere(version)) installFiles(version)
  // Built files hold for one version of the client, one binary interface of Node.js and one kind of machine.
  const cache = cacheFolder(['kafka-client', version, process.versions.modules, process.platform, process.arch].join('-'))
  if (restoreBuiltFiles(cache, folder) && loads()) {
    console.log(`Kafka client ${version}: built files taken from ${cache}`)
  } else {
    build(version)
    keep(cache)
  }
}

/** In a process of its own: a binary that does not fit may end it. */
function loads () {
  return spawnSync(process.execPath, ['-e', `require('${name}')`], { cwd: root, stdio: 'ignore' }).status === 0
}

function lockedVersion () {
  const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'))
  return lock.packages[`node_modules/${name}`].version
}

function isVersionThere (version) {
  const file = join(folder, 'package.json')
  return existsSync(file) && JSON.parse(readFileSync(file, 'utf8')).version === version
}

/** Brings the package and what it depends on back at their locked versions, running no scripts. */
function installFiles (version) {
  console.log(`npm has left out the optional ${name}: installing its files.`)
  const { status } = spawnSync('npm', [
    'install', '--no-save', '--ignore-scripts', '--include=optional', '--no-audit', '--no-fund',
    // npm also sets right what is there besides, so it is told whether development dependencies belong.
    hasDevelopmentDependencies() ? '--include=dev' : '--omit=dev',
  ], { cwd: root, stdio: 'inherit' })
  if (status !== 0 || !isVersionThere(version)) fail(`npm could not install ${name} ${version}; its own output above says why.`)
}

function hasDevelopmentDependencies () {
  const file = join(root, 'node_modules/.package-lock.json')
  if (!existsSync(file)) return true
  return Object.values(JSON.parse(readFileSync(file, 'utf8')).packages).some(({ dev }) => dev === true)
}

function build (version) {
  ensureInstalled({
    name: 'compiler with libraries for the Kafka client',
    find: findBuildTools,
    debianPackages: [
      'g++', 'make', 'python3', 'libssl-dev', 'zlib1g-dev', 'libzstd-dev', 'libcurl4-openssl-dev', 'libsasl2-dev',
    ],
    howTo: [
      `The Kafka client (${name}) must be built here: no binary of it fits, or none could be downloaded.`,
      'That takes g++, make, Python 3, and the headers of OpenSSL, zlib, zstd, curl and Cyrus SASL. Install them:',
      '  Debian, Ubuntu   sudo apt-get install g++ make python3 libssl-dev zlib1g-dev libzstd-dev libcurl4-openssl-dev libsasl2-dev',
      '  Fedora           sudo dnf install gcc-c++ make python3 openssl-devel zlib-devel libzstd-devel libcurl-devel cyrus-sasl-devel',
      '  macOS            xcode-select --install && brew install openssl zstd',
      'and run this again.',
    ],
  })
  console.log(`Building the Kafka client ${version} (once, some minutes).`)
  const problem = buildClient(folder)
  if (problem !== undefined) fail(problem)
  if (!loads()) fail(`${name} was built, yet does not load: node -e "require('${name}')" says why.`)
}

/** The client works without: the next checkout builds its own. */
function keep (cache) {
  try {
    keepBuiltFiles(folder, cache)
    console.log(`Kafka client: built, and kept in ${cache}`)
  } catch (error) {
    console.error(`Kafka client: built, yet it could not be kept in ${cache}: ${error.message}`)
  }
}

function fail (problem) {
  console.error(problem)
  process.exit(1)
}
