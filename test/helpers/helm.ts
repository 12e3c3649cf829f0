import { spawnSync } from 'node:child_process'
import { parseAllDocuments } from 'yaml'
import { findHelm, kubernetesVersions } from '../../scripts/find-helm.js'
import { root } from './markdown.js'

/** Any object of Kubernetes, loosely: its schema is held against it in a test of its own. */
export interface KubernetesObject {
  apiVersion: string
  kind: string
  metadata: { name: string, labels?: Record<string, string>, annotations?: Record<string, string> }
  spec?: any
  data?: Record<string, string>
}

export interface RenderOptions {
  /** Names of files in helm/mics/examples, without `.yaml`. */
  examples?: string[]
  /** Values above those of the examples. */
  values?: object
  /** Default: the newest that we have schemas of. */
  kubernetes?: string
  /** Default: helm/mics. */
  chart?: string
  /** Default: mics. */
  release?: string
}

export const chartFolder = `${root}helm/mics`
export const exampleNames = ['dev', 'staging', 'production']

/** Values with which the chart installs at all, where a test wants none in particular. */
export const someValues = { secrets: { REDIS_URL: 'redis:6379', CLUSTER_GRPC_TOKEN: 'token' } }

/** What the chart makes of these values. Throws what Helm says where it refuses. */
export function render (options: RenderOptions = {}): KubernetesObject[] {
  const { status, stdout, stderr } = template(options)
  if (status !== 0) throw new Error(stderr)
  return parseAllDocuments(stdout).map(document => {
    // Helm tells apart no two values of one key; YAML forbids them.
    if (document.errors.length > 0) throw new Error(`what was rendered is no YAML: ${document.errors.join('\n')}\n${stdout}`)
    return document.toJS()
  }).filter(object => object !== null)
}

/** What Helm says where it refuses these values. */
export function refusal (options: RenderOptions): string {
  const { status, stderr } = template(options)
  if (status === 0) throw new Error('Helm took these values')
  return stderr
}

/** The only object of its kind that is the gateway's own, that is, has the name of the release. */
export function objectOf (objects: KubernetesObject[], kind: string, name = 'mics'): KubernetesObject {
  const found = objects.filter(object => object.kind === kind && object.metadata.name === name)
  if (found.length !== 1) throw new Error(`there are ${found.length} of ${kind} ${name}`)
  return found[0]
}

export function gatewayPod (objects: KubernetesObject[]): any {
  return objectOf(objects, 'Deployment').spec.template.spec
}

export function decoded (secret: KubernetesObject): Record<string, string> {
  return Object.fromEntries(Object.entries(secret.data ?? {})
    .map(([name, value]) => [name, Buffer.from(value, 'base64').toString()]))
}

/** The environment of a gateway as Kubernetes makes it, `$(POD_NAME)` and the like replaced. */
export function gatewayEnvironment (objects: KubernetesObject[]): Record<string, string> {
  const [{ env, envFrom }] = gatewayPod(objects).containers
  const pod: Record<string, string> = { 'metadata.name': 'mics-7d4b9c-abcde', 'status.podIP': '10.1.2.3' }
  const environment: Record<string, string> = {}
  for (const { configMapRef, secretRef } of envFrom) {
    const { name } = configMapRef ?? secretRef
    const found = objects.filter(({ kind, metadata }) =>
      kind === (configMapRef === undefined ? 'Secret' : 'ConfigMap') && metadata.name === name)
    for (const object of found) Object.assign(environment, configMapRef === undefined ? decoded(object) : object.data)
  }
  for (const { name, value, valueFrom } of env) {
    environment[name] = valueFrom === undefined
      ? value.replace(/\$\((\w+)\)/g, (_: string, other: string) => environment[other])
      : pod[valueFrom.fieldRef.fieldPath]
  }
  return environment
}

export function helm (args: string[], input = ''): { status: number | null, stdout: string, stderr: string } {
  const { path, problem } = findHelm()
  if (path === undefined) throw new Error(problem ?? 'no Helm found: run `node scripts/install-helm.js`')
  const { status, stdout, stderr, error } = spawnSync(path, args, { encoding: 'utf8', input, maxBuffer: 16 * 1024 * 1024 })
  if (error !== undefined) throw error
  return { status, stdout, stderr }
}

/** Options of `helm lint` and `helm template` alike. */
export function helmOptions ({ examples = [], kubernetes = kubernetesVersions.at(-1) }: RenderOptions): string[] {
  return [
    '--kube-version', String(kubernetes),
    ...examples.flatMap(name => ['--values', `${chartFolder}/examples/${name}.yaml`]),
    // Values of the test come in by stdin. JSON is YAML.
    '--values', '-',
  ]
}

function template (options: RenderOptions): ReturnType<typeof helm> {
  const { chart = chartFolder, values = {}, release = 'mics' } = options
  return helm(['template', release, chart, '--namespace', 'im', ...helmOptions(options)], JSON.stringify(values))
}
