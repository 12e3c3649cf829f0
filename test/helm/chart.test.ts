import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { parse } from 'yaml'
import { kafkaVersion } from '../../scripts/find-kafka.js'
import { kubernetesVersions } from '../../scripts/find-helm.js'
import { chartFolder, exampleNames, helm, helmOptions, objectOf, refusal, render, someValues } from '../helpers/helm.js'
import { readDocument } from '../helpers/markdown.js'
import { KubernetesSchemas } from './kubernetes-schemas.js'

const chart = parse(readDocument('helm/mics/Chart.yaml'))

/** With all that can be switched on, for whom no example is enough. */
const everything = {
  ...someValues,
  ingress: { enabled: true, host: 'im.example.com', tlsSecret: 'im-tls' },
  httpRoute: { enabled: true, parentRefs: [{ name: 'public' }], annotations: { a: 'b' } },
  networkPolicy: { clientsFrom: [{ podSelector: {} }], egress: [{ ports: [{ port: 443, protocol: 'TCP' }] }] },
  autoscaling: { enabled: true, connectionsPerPod: 20_000 },
  serviceMonitor: { enabled: true, labels: { release: 'prometheus' } },
  dev: { redis: { enabled: true }, kafka: { enabled: true }, hooks: { enabled: true } },
  service: { annotations: { a: 'b' } },
  serviceAccount: { annotations: { a: 'b' } },
  imagePullSecrets: [{ name: 'registry' }],
  extraEnv: [{ name: 'NODE_EXTRA_CA_CERTS', value: '/ca/ca.pem' }],
  extraVolumes: [{ name: 'ca', secret: { secretName: 'ca' } }],
  extraVolumeMounts: [{ name: 'ca', mountPath: '/ca' }],
  existingSecret: 'of-ours',
  podAnnotations: { a: 'b' },
  podLabels: { team: 'im' },
  nodeSelector: { disk: 'fast' },
  tolerations: [{ key: 'im', operator: 'Exists' }],
  affinity: { podAntiAffinity: {} },
  priorityClassName: 'high',
}

for (const example of exampleNames) {
  t.test(`helm lint finds nothing in the chart with the values of ${example}.yaml`, async t => {
    const { status, stdout } = helm(['lint', '--strict', chartFolder, ...helmOptions({ examples: [example] })], '{}')
    t.equal(status, 0, stdout)
  })
}

for (const kubernetes of kubernetesVersions) {
  const schemas = new KubernetesSchemas(kubernetes)

  for (const example of exampleNames) {
    t.test(`Kubernetes ${kubernetes} knows all that ${example}.yaml makes`, async t => {
      const objects = render({ examples: [example], kubernetes })
      t.ok(objects.some(({ kind }) => kind === 'Deployment'))
      for (const object of objects) t.strictSame(schemas.problemsOf(object), [], `${object.kind} ${object.metadata.name}`)
    })
  }

  t.test(`Kubernetes ${kubernetes} knows all that the chart can make`, async t => {
    for (const object of render({ values: everything, kubernetes })) {
      t.strictSame(schemas.problemsOf(object), [], `${object.kind} ${object.metadata.name}`)
    }
  })

  t.test(`the schemas of Kubernetes ${kubernetes} find a field that does not exist, one that is missing and a wrong type`, async t => {
    const deployment = objectOf(render({ values: someValues }), 'Deployment')
    const spoilt = structuredClone(deployment)
    spoilt.spec.template.spec.terminationGraceSeconds = 60
    spoilt.spec.template.spec.containers[0].name = undefined
    spoilt.spec.minReadySeconds = 'ten'
    const problems = schemas.problemsOf(JSON.parse(JSON.stringify(spoilt))).join('\n')
    for (const part of ['terminationGraceSeconds', '"missingProperty":"name"', '/spec/minReadySeconds']) t.match(problems, part)
  })
}

t.test('the schemas of custom resources find a field that does not exist, one that is missing and a wrong type', async t => {
  const schemas = new KubernetesSchemas(kubernetesVersions[0])
  const objects = render({ examples: ['production'] })
  const spoil = (kind: string, change: (spec: any) => void): string => {
    const object = structuredClone(objectOf(objects, kind))
    change(object.spec)
    return schemas.problemsOf(object).join('\n')
  }
  t.match(spoil('HTTPRoute', ({ rules }) => { rules[0].backendRefs[0].wieght = 1 }), '"wieght"')
  t.match(spoil('HTTPRoute', ({ rules }) => { rules[0].backendRefs[0].weight = '1' }), '/spec/rules/0/backendRefs/0/weight: must be integer')
  t.match(spoil('HTTPRoute', ({ rules }) => { delete rules[0].backendRefs[0].name }), '"missingProperty":"name"')
  t.match(spoil('HTTPRoute', ({ rules }) => { rules[0].timeouts.request = 'never' }), '/spec/rules/0/timeouts/request: must match pattern')
  t.match(spoil('ServiceMonitor', ({ endpoints }) => { endpoints[0].relabelling = [] }), '"relabelling"')
  t.match(spoil('ServiceMonitor', ({ endpoints }) => { endpoints[0].port = 80 }), '/spec/endpoints/0/port: must be string')
  t.match(spoil('PrometheusRule', ({ groups }) => { groups[0].rules[0].fro = '1m' }), '"fro"')
  t.match(spoil('PrometheusRule', ({ groups }) => { delete groups[0].rules[0].expr }), '"missingProperty":"expr"')
})

t.test('no two objects have the same kind and name', async t => {
  const names = render({ values: everything }).map(({ kind, metadata }) => `${kind} ${metadata.name}`)
  t.strictSame(names, [...new Set(names)])
})

t.test('names stay legal under a long name of the release', async t => {
  const { status, stdout, stderr } = helm(
    ['template', 'a'.repeat(53), chartFolder, ...helmOptions({})], JSON.stringify(everything))
  t.equal(status, 0, stderr)
  for (const [, name] of stdout.matchAll(/^ {2}name: "?([\w-]+)/gm)) t.ok(name.length <= 63, name)
})

t.test('it installs the version that package.json has, and the Kafka that the tests run', async t => {
  t.equal(chart.appVersion, JSON.parse(readDocument('package.json')).version)
  t.match(parse(readDocument('helm/mics/values.yaml')).dev.kafka.image, `apache/kafka:${kafkaVersion}`)
  t.equal(parse(readDocument('helm/mics/values.yaml')).dev.redis.image, parse(readDocument('compose.yaml')).services.redis.image)
})

t.test('it refuses a Kubernetes older than the one it says', async t => {
  t.match(refusal({ values: someValues, kubernetes: '1.26.0' }), 'kubeVersion')
  t.match(kubernetesVersions[0], chart.kubeVersion.slice('>='.length, -'.0-0'.length))
})

t.test('what would start and not work is refused with what to do', async t => {
  const cases: [object, string][] = [
    [{}, 'secrets.REDIS_URL is missing'],
    [{ replicaCount: 1, autoscaling: { enabled: true } }, 'secrets.REDIS_URL is missing'],
    [{ secrets: { REDIS_URL: 'redis:6379' } }, 'secrets.CLUSTER_GRPC_TOKEN is missing'],
    [{ ...someValues, tenants: { acme: { authUrl: 'http://h' } }, tenantsSecret: { existing: 's' } }, 'name the tenants in one place'],
    [{ ...someValues, tenants: { acme: { authUrl: 'http://h' } }, config: { TENANT_AUTH_MAP: 'acme=http://h' } }, 'name the tenants in one place'],
    [{ ...someValues, ingress: { enabled: true } }, 'ingress.host is missing'],
    [{ ...someValues, httpRoute: { enabled: true } }, 'httpRoute.parentRefs is missing'],
    [{ ...someValues, autoscaling: { enabled: true, cpuPercent: 0 } }, 'set one, or set autoscaling.enabled to false'],
  ]
  for (const [values, message] of cases) t.match(refusal({ values }), message)
  t.doesNotThrow(() => render({ values: { replicaCount: 1 } }), 'a single gateway needs no Redis')
  t.doesNotThrow(() => render({ values: { existingSecret: 'of-ours' } }), 'who knows what it holds')
})

t.test('alerts and a dashboard are rendered from files of the chart, word for word, where there are such files', async t => {
  const folder = mkdtempSync(join(tmpdir(), 'mics-chart-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  cpSync(chartFolder, folder, { recursive: true })
  const values = { ...someValues, prometheusRule: { enabled: true, labels: { release: 'p' } }, dashboard: { enabled: true } }
  for (const name of ['alerts.yaml', 'dashboard.json']) rmSync(join(folder, 'files', name), { force: true })
  const without = render({ chart: folder, values }).map(({ kind, metadata }) => `${kind} ${metadata.name}`)
  t.notOk(without.includes('PrometheusRule mics'))
  t.notOk(without.includes('ConfigMap mics-dashboard'))

  const alerts = {
    groups: [{
      name: 'mics',
      rules: [{
        alert: 'A',
        expr: 'up == 0',
        for: '5m',
        annotations: { summary: '{{ $labels.pod }} is {{ $value }}', runbook_url: 'docs/ops/runbook.md#a' },
      }],
    }],
  }
  const dashboard = '{\n  "title": "MICS",\n  "panels": [{ "legendFormat": "{{pod}}" }]\n}\n'
  writeFileSync(join(folder, 'files/alerts.yaml'), JSON.stringify(alerts, null, 2))
  writeFileSync(join(folder, 'files/dashboard.json'), dashboard)
  const objects = render({ chart: folder, values })
  const rule = objectOf(objects, 'PrometheusRule')
  t.strictSame(rule.spec, alerts)
  t.equal(rule.metadata.labels?.release, 'p')
  const configMap = objectOf(objects, 'ConfigMap', 'mics-dashboard')
  t.strictSame(JSON.parse(configMap.data?.['mics.json'] ?? ''), JSON.parse(dashboard))
  t.equal(configMap.metadata.labels?.grafana_dashboard, '1')
  const runbookUrl = 'https://docs.example/mics.md'
  const elsewhere = objectOf(render({
    chart: folder, values: { ...values, prometheusRule: { enabled: true, runbookUrl } },
  }), 'PrometheusRule')
  t.equal(elsewhere.spec.groups[0].rules[0].annotations.runbook_url, `${runbookUrl}#a`)
  for (const kubernetes of kubernetesVersions) {
    const schemas = new KubernetesSchemas(kubernetes)
    for (const object of [rule, configMap]) t.strictSame(schemas.problemsOf(object), [])
  }
})
