import { existsSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { cacheFolder } from './cache-folder.js'
import { findExecutable } from './find-executable.js'

/** The version that install-helm.js builds, where none of one's own is given. */
export const helmVersion = '3.19.0'

/** The release of the package with Kubernetes' JSON schemas, and the versions of Kubernetes that are taken from it. */
export const schemasVersion = '1.37.0'
export const kubernetesVersions = ['1.27.0', '1.37.0']

/**
 * The Go modules with the definitions of what the chart makes and Kubernetes itself does not know, and which of their
 * files are taken. Of the Gateway API it is the oldest that docs/ops/install.md asks for.
 */
export const customResourceModules = [
  {
    path: 'sigs.k8s.io/gateway-api',
    version: '1.2.0',
    folder: 'config/crd/standard',
    files: ['gateway.networking.k8s.io_httproutes.yaml'],
  },
  {
    path: 'github.com/prometheus-operator/prometheus-operator',
    version: '0.85.0',
    folder: 'example/prometheus-operator-crd',
    files: ['monitoring.coreos.com_servicemonitors.yaml', 'monitoring.coreos.com_prometheusrules.yaml'],
  },
]

/**
 * The Helm that HELM_PATH names, else the one that install-helm.js has built. One that happens to be on PATH is not
 * taken: its version decides what its linter says.
 * @param {NodeJS.ProcessEnv} [env]
 * @returns {{ path?: string, problem?: string }} `problem` only where HELM_PATH names no executable
 */
export function findHelm (env = process.env) {
  return findExecutable({ variable: 'HELM_PATH', names: ['helm'] }, { HELM_PATH: env.HELM_PATH, PATH: helmFolder(env) })
}

/**
 * Where install-helm.js puts the Helm that it builds.
 * @param {NodeJS.ProcessEnv} [env]
 */
export function helmFolder (env = process.env) {
  return cacheFolder(`helm-${helmVersion}-${process.platform}-${process.arch}`, env)
}

/**
 * The folder with Kubernetes' schemas, one folder a version: it is there only when they are complete.
 * @param {NodeJS.ProcessEnv} [env]
 * @returns {string | undefined}
 */
export function findKubernetesSchemas (env = process.env) {
  const folder = schemasFolder(env)
  return kubernetesVersions.every(version => existsSync(join(folder, version))) ? folder : undefined
}

/** @param {NodeJS.ProcessEnv} [env] */
export function schemasFolder (env = process.env) {
  return cacheFolder(`kubernetes-schemas-${schemasVersion}`, env)
}

/**
 * The folder with the definitions of custom resources: it is there only when they are complete.
 * @param {NodeJS.ProcessEnv} [env]
 * @returns {string | undefined}
 */
export function findCustomResources (env = process.env) {
  const folder = customResourcesFolder(env)
  const files = customResourceModules.flatMap(({ files }) => files)
  return files.every(file => existsSync(join(folder, file))) ? folder : undefined
}

/** @param {NodeJS.ProcessEnv} [env] */
export function customResourcesFolder (env = process.env) {
  return cacheFolder(`custom-resources-${customResourceModules.map(({ version }) => version).join('-')}`, env)
}
