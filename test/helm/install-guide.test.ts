import { existsSync, readFileSync } from 'node:fs'
import t from 'tap'
import { parse } from 'yaml'
import { kubernetesVersions } from '../../scripts/find-helm.js'
import { chartFolder, gatewayPod, objectOf, render, someValues } from '../helpers/helm.js'
import { documents, readDocument, root } from '../helpers/markdown.js'
import { KubernetesSchemas } from './kubernetes-schemas.js'

const guide = readDocument('docs/ops/install.md')

function blocks (language: string): string[] {
  return [...guide.matchAll(/^```(\w+)\n(.*?)^```/gms)].filter(([, name]) => name === language).map(([, , text]) => text)
}

/** The values of the only example in which there is this key. */
function valuesWith (path: string[]): any {
  const found = blocks('yaml').map(text => parse(text))
    .filter(values => path.reduce((value, key) => value?.[key], values) !== undefined)
  if (found.length !== 1) throw new Error(`${found.length} examples have ${path.join('.')}`)
  return found[0]
}

/** What an image to be pulled and a start of the gateway take, roughly. */
const startSeconds = 30

const commands = blocks('sh').join('').replace(/\\\n */g, '').split('\n').filter(line => line !== '')

t.test('every example of values in the guide is taken by the chart', async t => {
  const examples = blocks('yaml')
  t.ok(examples.length >= 3)
  for (const example of examples) {
    t.doesNotThrow(() => render({ values: { ...someValues, ...parse(example) } }), example)
  }
})

t.test('the file of secrets goes with staging.yaml, and leaves no placeholder of it', async t => {
  const secrets = blocks('yaml').find(text => text.startsWith('secrets:'))
  const objects = render({ examples: ['staging'], values: parse(secrets ?? '') })
  const decoded = objects.filter(({ kind }) => kind === 'Secret')
    .flatMap(({ data = {} }) => Object.values(data)).map(value => Buffer.from(value, 'base64').toString())
  t.equal(decoded.length, 3)
  t.notMatch(decoded.join('\n'), 'replaced-by-secrets-yaml')
})

t.test('the files that its commands name exist, or are said to be written by the reader', async t => {
  const written = new Set(['staging.yaml', 'secrets.yaml', 'production.yaml'])
  const files = commands.flatMap(line => [...line.matchAll(/--values (\S+)/g)].map(([, file]) => file))
  t.ok(files.length > 0)
  for (const file of files) t.ok(written.has(file) || existsSync(`${root}${file}`), file)
})

t.test('staging.yaml has its certificate from the Secret that the guide makes', async t => {
  const made = commands.flatMap(line => [...line.matchAll(/create secret tls (\S+)/g)].map(([, name]) => name))
  t.strictSame(objectOf(render({ examples: ['staging'] }), 'Ingress').spec.tls.map(({ secretName }: any) => secretName), made)
})

t.test('the Secrets that it makes are those that production.yaml uses', async t => {
  const made = new Set(commands.flatMap(line => [...line.matchAll(/create secret generic (\S+)/g)].map(([, name]) => name)))
  const { volumes, containers: [{ envFrom }] } = objectOf(render({ examples: ['production'] }), 'Deployment').spec.template.spec
  const used = [
    ...volumes.flatMap(({ secret }: any) => secret === undefined ? [] : [secret.secretName]),
    ...envFrom.flatMap(({ secretRef }: any) => secretRef === undefined ? [] : [secretRef.name]),
  ]
  t.strictSame([...made].sort(), used.sort())
})

t.test('its egress rules let the gateways of production.yaml reach all that they need', async t => {
  const values = valuesWith(['networkPolicy', 'egress'])
  const objects = render({ examples: ['production'], values })
  const policy = objectOf(objects, 'NetworkPolicy')
  for (const version of kubernetesVersions) t.strictSame(new KubernetesSchemas(version).problemsOf(policy), [], version)

  const portsOf = (text: string): number[] => [...text.matchAll(/:(\d+)/g)].map(([, port]) => Number(port))
  const redisUrl = /REDIS_URL='([^']+)'/.exec(commands.join('\n'))?.[1] ?? ''
  const endpoint = valuesWith(['extraEnv']).extraEnv.find(({ name }: any) => name === 'OTEL_EXPORTER_OTLP_ENDPOINT').value
  const kafkaBrokers = objectOf(objects, 'ConfigMap').data?.KAFKA_BROKERS ?? ''
  const needed = [53, 443, 6379, ...[redisUrl, kafkaBrokers, endpoint].flatMap(text => {
    t.not(portsOf(text).length, 0, text)
    return portsOf(text)
  })]
  const open = new Set(policy.spec.egress.flatMap(({ ports }: any) => ports.map(({ port }: any) => port)))
  for (const port of new Set(needed)) t.ok(open.has(port), String(port))
})

t.test('its variables for tracing reach the gateway as they are, and are those of production.yaml, where they are a comment', async t => {
  const { extraEnv } = valuesWith(['extraEnv'])
  const { containers: [{ env }] } = gatewayPod(render({ values: { ...someValues, extraEnv } }))
  t.strictSame(env.slice(-extraEnv.length), extraEnv)
  for (const { name, value } of extraEnv) t.type(value, 'string', `Kubernetes takes text alone for ${name}`)

  const comment = /^# extraEnv:\n(?:# .*\n)+/m.exec(readFileSync(`${chartFolder}/examples/production.yaml`, 'utf8'))?.[0] ?? ''
  t.strictSame(parse(comment.replace(/^# /gm, '')), { extraEnv })
})

t.test('Helm waits as long as a rollout of the most gateways that production.yaml may have takes', async t => {
  const objects = render({ examples: ['production'] })
  const { minReadySeconds } = objectOf(objects, 'Deployment').spec
  const { maxReplicas } = objectOf(objects, 'HorizontalPodAutoscaler').spec
  const seconds = maxReplicas * (minReadySeconds + startSeconds)
  const texts = [...documents().map(path => readDocument(path)), readFileSync(`${chartFolder}/examples/production.yaml`, 'utf8')]
  const timeouts = texts.flatMap(text => [...text.matchAll(/helm (?:upgrade|rollback|install) .*--timeout (\S+)/g)].map(([, timeout]) => timeout))
  t.ok(timeouts.length >= 6)
  t.strictSame([...new Set(timeouts)], ['60m'], 'one value everywhere')
  t.ok(seconds <= 60 * 60, `${seconds} seconds`)
  t.match(readDocument('docs/ops/rolling-update.md'), `60 minutes are enough for the ${maxReplicas} of`)
})

t.test('staging.yaml and production.yaml name a registry, and the label that kube-prometheus-stack selects by', async t => {
  for (const example of ['staging', 'production']) {
    const objects = render({ examples: [example] })
    for (const image of [gatewayPod(objects), objectOf(objects, 'Pod', 'mics-test').spec].map(({ containers }) => containers[0].image)) {
      t.match(image, /^registry\.example\/im\/mics:\d/, 'without one it would be looked for at Docker Hub')
    }
    for (const kind of ['ServiceMonitor', 'PrometheusRule']) {
      t.equal(objectOf(objects, kind).metadata.labels?.release, 'kube-prometheus-stack', `${kind} of ${example}`)
    }
  }
  t.match(guide, '`release: kube-prometheus-stack`')
})

t.test('no example hides what the runbook looks for in the log', async t => {
  for (const example of ['staging', 'production']) {
    t.notOk('LOG_LEVEL' in (objectOf(render({ examples: [example] }), 'ConfigMap').data ?? {}), example)
  }
})
