import t from 'tap'
import { exampleNames, objectOf, render, someValues, type KubernetesObject } from '../helpers/helm.js'
import { readDocument } from '../helpers/markdown.js'

const ingressController = { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'ingress-nginx' } } }

function ingressOf (values: object): KubernetesObject {
  return objectOf(render({ values: { ...someValues, ...values } }), 'Ingress')
}

/** Whether the labels of a pod are selected. */
function selects (selector: Record<string, string>, labels: Record<string, string> = {}): boolean {
  return Object.entries(selector).every(([name, value]) => labels[name] === value)
}

t.test('only /ws, to the letter, is passed on to the gateway, by the Ingress and by the HTTPRoute', async t => {
  const objects = render({
    values: {
      ...someValues,
      ingress: { enabled: true, host: 'im.example.com' },
      httpRoute: { enabled: true, parentRefs: [{ name: 'public' }], hostnames: ['im.example.com'] },
    },
  })
  t.strictSame(objectOf(objects, 'Ingress').spec.rules, [{
    host: 'im.example.com',
    http: { paths: [{ path: '/ws', pathType: 'Exact', backend: { service: { name: 'mics', port: { name: 'http' } } } }] },
  }])
  const { rules, hostnames, parentRefs } = objectOf(objects, 'HTTPRoute').spec
  t.strictSame({ hostnames, parentRefs }, { hostnames: ['im.example.com'], parentRefs: [{ name: 'public' }] })
  t.match(rules, [{ matches: [{ path: { type: 'Exact', value: '/ws' } }], backendRefs: [{ name: 'mics', port: 80 }] }])
  t.equal(rules.length, 1)
  t.equal(rules[0].matches.length, 1)
})

t.test('NODE_PORT is on the headless Service alone, whatever the other one is', async t => {
  for (const type of ['ClusterIP', 'NodePort', 'LoadBalancer']) {
    const services = render({ values: { ...someValues, service: { type } } }).filter(({ kind }) => kind === 'Service')
    const withNodePort = services.filter(({ spec }) => spec.ports.some(({ targetPort, port }: any) => targetPort === 'node' || port === 8081))
    t.match(withNodePort, [{ metadata: { name: 'mics-nodes' }, spec: { type: 'ClusterIP', clusterIP: 'None' } }])
    t.equal(withNodePort.length, 1)
    t.equal(services.find(({ metadata }) => metadata.name === 'mics')?.spec.type, type)
  }
})

t.test('Services lead to gateways and to no other pod of the release', async t => {
  const objects = render({ examples: ['dev'] })
  const pods = objects.filter(({ kind }) => kind === 'Deployment')
    .map(({ metadata, spec }) => ({ name: metadata.name, labels: spec.template.metadata.labels }))
  t.equal(pods.length, 4)
  const expected: Record<string, string> = { 'mics-nodes': 'mics' }
  for (const { metadata, spec } of objects.filter(({ kind }) => kind === 'Service')) {
    const selected = pods.filter(({ labels }) => selects(spec.selector, labels)).map(({ name }) => name)
    t.strictSame(selected, [expected[metadata.name] ?? metadata.name], metadata.name)
  }
})

t.test('the ServiceMonitor scrapes each gateway once, also while it drains, under the full name', async t => {
  const objects = render({ values: { ...someValues, serviceMonitor: { enabled: true } } })
  const { selector, endpoints, namespaceSelector } = objectOf(objects, 'ServiceMonitor').spec
  const services = objects.filter(({ kind, metadata }) => kind === 'Service' && selects(selector.matchLabels, metadata.labels))
  t.strictSame(services.map(({ metadata }) => metadata.name), ['mics-nodes'])
  t.equal(services[0].spec.publishNotReadyAddresses, true, 'else those that end are not among its addresses')
  t.match(services[0].spec.ports.filter(({ name }: { name: string }) => name === endpoints[0].port),
    [{ port: 8080, targetPort: 'http' }])
  t.equal(endpoints.length, 1)
  t.equal(endpoints[0].path, '/metrics')
  t.strictSame(endpoints[0].relabelings, [{ targetLabel: 'job', replacement: 'mics' }])
  t.strictSame(namespaceSelector.matchNames, ['im'])
})

t.test('NODE_PORT is reached by gateways of the release, and by nobody else', async t => {
  for (const networkPolicy of [{}, { clientsFrom: [ingressController] }]) {
    const objects = render({ values: { ...someValues, networkPolicy } })
    const { ingress, podSelector, policyTypes } = objectOf(objects, 'NetworkPolicy').spec
    const gateway = objectOf(objects, 'Deployment').spec.template.metadata.labels
    t.ok(selects(podSelector.matchLabels, gateway), 'the policy is about gateways')
    t.strictSame(policyTypes, ['Ingress'])
    const rules = ingress.filter(({ ports }: any) => ports === undefined || ports.some(({ port }: any) => port !== 'http'))
    t.equal(rules.length, 1)
    t.strictSame(rules[0].ports, [{ port: 'node', protocol: 'TCP' }])
    t.equal(rules[0].from.length, 1)
    t.strictSame(Object.keys(rules[0].from[0]), ['podSelector'], 'pods of this namespace')
    t.ok(selects(rules[0].from[0].podSelector.matchLabels, gateway))
    t.notOk(selects(rules[0].from[0].podSelector.matchLabels, objectOf(objects, 'Pod', 'mics-test').metadata.labels))
  }
})

t.test('the port of clients is for everyone, or for those who are named, for metrics and for helm test', async t => {
  const clients = (objects: KubernetesObject[]): any => objectOf(objects, 'NetworkPolicy').spec.ingress
    .find(({ ports }: any) => ports[0].port === 'http').from
  t.equal(clients(render({ values: someValues })), undefined)

  const objects = render({
    values: { ...someValues, networkPolicy: { clientsFrom: [ingressController], metricsNamespace: 'prometheus' } },
  })
  const [named, metrics, test, ...others] = clients(objects)
  t.strictSame(named, ingressController)
  t.strictSame(metrics, { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'prometheus' } } })
  t.ok(selects(test.podSelector.matchLabels, objectOf(objects, 'Pod', 'mics-test').metadata.labels))
  t.notOk(selects(test.podSelector.matchLabels, objectOf(objects, 'Deployment').spec.template.metadata.labels))
  t.strictSame(others, [])
})

t.test('where egress is restricted, gateways still reach each other', async t => {
  const dns = { ports: [{ port: 53, protocol: 'UDP' }] }
  const { egress, policyTypes } = objectOf(render({ values: { ...someValues, networkPolicy: { egress: [dns] } } }), 'NetworkPolicy').spec
  t.strictSame(policyTypes, ['Ingress', 'Egress'])
  t.match(egress, [{ to: [{ podSelector: {} }], ports: [{ port: 'node' }] }, dns])
})

t.test('nginx keeps a connection open for longer than the time between two pings, and writes no tokens to its log', async t => {
  const annotation = (name: string): string => `nginx.ingress.kubernetes.io/${name}`
  const timeouts = (config: object): (string | undefined)[] => {
    const { annotations } = ingressOf({ config, ingress: { enabled: true, host: 'h' } }).metadata
    return [annotations?.[annotation('proxy-read-timeout')], annotations?.[annotation('proxy-send-timeout')]]
  }
  t.strictSame(timeouts({}), ['90', '90'])
  t.match(readDocument('docs/operations.md'), 'proxy_read_timeout 90s;')
  t.strictSame(timeouts({ WS_KEEPALIVE_INTERVAL_SECONDS: 120 }), ['360', '360'])
  t.strictSame(timeouts({ WS_KEEPALIVE_INTERVAL_SECONDS: 0 }), ['3600', '3600'], 'without pings clients alone keep it open')
  const own = ingressOf({
    ingress: { enabled: true, host: 'h', annotations: { [annotation('proxy-read-timeout')]: '600', other: 'x' } },
  }).metadata.annotations
  t.strictSame(own, {
    [annotation('proxy-read-timeout')]: '600',
    [annotation('proxy-send-timeout')]: '90',
    [annotation('enable-access-log')]: 'false',
    other: 'x',
  })
})

t.test('the Gateway API ends no connection by the clock, and knows that it is a WebSocket', async t => {
  const objects = render({ examples: ['production'] })
  t.strictSame(objectOf(objects, 'HTTPRoute').spec.rules[0].timeouts, { request: '0s', backendRequest: '0s' })
  t.equal(objectOf(objects, 'Service').spec.ports[0].appProtocol, 'kubernetes.io/ws')
})

t.test('the autoscaler and the disruption budget are about the gateways', async t => {
  const objects = render({ examples: ['production'] })
  const { scaleTargetRef, metrics } = objectOf(objects, 'HorizontalPodAutoscaler').spec
  const deployment = objectOf(objects, 'Deployment')
  t.strictSame(scaleTargetRef, { apiVersion: deployment.apiVersion, kind: 'Deployment', name: deployment.metadata.name })
  t.match(metrics, [
    { resource: { name: 'cpu', target: { averageUtilization: 70 } } },
    { pods: { metric: { name: 'mics_connections' }, target: { averageValue: '20000' } } },
  ])
  t.match(readDocument('docs/metrics.md'), '| `mics_connections` | gauge |')
  t.ok(selects(objectOf(objects, 'PodDisruptionBudget').spec.selector.matchLabels, deployment.spec.template.metadata.labels))
})

t.test('no secret is in anything but a Secret', async t => {
  for (const example of exampleNames) {
    const values = { secrets: { CLUSTER_GRPC_TOKEN: 'hidden-1', KAFKA_SASL_PASSWORD: 'hidden-2' }, dev: { hooks: { enabled: false } } }
    const objects = render({ examples: [example], values })
    t.notMatch(JSON.stringify(objects.filter(({ kind }) => kind !== 'Secret')), /hidden/, example)
  }
})
