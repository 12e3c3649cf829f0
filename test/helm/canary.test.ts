import t from 'tap'
import { parse } from 'yaml'
import { kubernetesVersions } from '../../scripts/find-helm.js'
import { objectOf, refusal, render, someValues, type KubernetesObject } from '../helpers/helm.js'
import { readDocument } from '../helpers/markdown.js'
import { KubernetesSchemas } from './kubernetes-schemas.js'

const guide = readDocument('docs/ops/rolling-update.md')

/** The values that the guide shows under a name, the comment in their first line. */
function valuesOf (name: string): object {
  const blocks = [...guide.matchAll(/```yaml\n# ([\w.-]+)[^\n]*\n([\s\S]*?)```/g)]
  const block = blocks.find(([, title]) => title === name)
  if (block === undefined) throw new Error(`the guide has no ${name}`)
  return parse(block[2])
}

function selects (selector: { matchLabels: Record<string, string> }, labels: Record<string, string>): boolean {
  return Object.entries(selector.matchLabels).every(([name, value]) => labels[name] === value)
}

/** Whether a NetworkPolicy lets pods with these labels in, or out to them, at the node port. */
function allows (rules: any[], direction: 'from' | 'to', labels: Record<string, string>): boolean {
  const rule = rules.find(({ ports }) => ports[0].port === 'node')
  return rule[direction].some(({ podSelector }: any) => selects(podSelector, labels))
}

const egress = [{ ports: [{ port: 53, protocol: 'UDP' }] }]
const stableValues: any = valuesOf('stable.yaml')
const canaryValues: any = valuesOf('canary.yaml')

function renderStable (example: string): KubernetesObject[] {
  const networkPolicy = { ...stableValues.networkPolicy, egress }
  return render({ examples: [example], values: { ...stableValues, networkPolicy } })
}

function renderCanary (example: string, values: object = {}): KubernetesObject[] {
  const networkPolicy = { ...canaryValues.networkPolicy, egress }
  return render({ release: 'mics-canary', examples: [example], values: { ...canaryValues, networkPolicy, ...values } })
}

const stable = renderStable('production')
const canary = renderCanary('production')

function labelsOf (objects: KubernetesObject[], name: string): Record<string, string> {
  return objectOf(objects, 'Deployment', name).spec.template.metadata.labels
}

t.test('Kubernetes knows all that either release makes, with the Gateway API and with ingress-nginx', async t => {
  const { ingress }: any = valuesOf('canary-nginx.yaml')
  const all = [...stable, ...canary, ...renderStable('staging'), ...renderCanary('staging', { ingress })]
  t.ok(all.some(({ kind }) => kind === 'HTTPRoute'))
  t.ok(all.some(({ kind }) => kind === 'Ingress'))
  for (const version of kubernetesVersions) {
    const schemas = new KubernetesSchemas(version)
    for (const object of all) t.strictSame(schemas.problemsOf(object), [], `${object.kind} ${object.metadata.name}`)
  }
})

t.test('the canary has the environment and the tenants of the stable release, by Secrets of either kind', async t => {
  const podOf = (objects: KubernetesObject[], name: string): any => objectOf(objects, 'Deployment', name).spec.template.spec
  const pods = [podOf(stable, 'mics'), podOf(canary, 'mics-canary')]
  const secretsOf = ({ containers, volumes }: any): unknown[] => [
    ...containers[0].envFrom.filter(({ secretRef }: any) => secretRef !== undefined),
    volumes.find(({ name }: any) => name === 'tenants'),
  ]
  t.match(secretsOf(pods[0]), [{ secretRef: { name: 'mics-environment' } }, { secret: { secretName: 'mics-tenants-file' } }])
  t.strictSame(secretsOf(pods[1]), secretsOf(pods[0]))

  const [ofValues, ofCanary] = [renderStable('staging'), renderCanary('staging')]
  for (const [kind, suffix] of [['ConfigMap', ''], ['Secret', ''], ['Secret', '-tenants']]) {
    t.strictSame(objectOf(ofCanary, kind, `mics-canary${suffix}`).data, objectOf(ofValues, kind, `mics${suffix}`).data, kind + suffix)
  }
})

t.test('the gateways of both reach each other at the node port, in and out; those of a release not named do not', async t => {
  const [stableLabels, canaryLabels] = [labelsOf(stable, 'mics'), labelsOf(canary, 'mics-canary')]
  for (const [objects, name] of [[stable, 'mics'], [canary, 'mics-canary']] as const) {
    const { ingress, egress } = objectOf(objects, 'NetworkPolicy', name).spec
    for (const labels of [stableLabels, canaryLabels]) {
      t.ok(allows(ingress, 'from', labels), `${name} from ${labels['app.kubernetes.io/instance']}`)
      t.ok(allows(egress, 'to', labels), `${name} to ${labels['app.kubernetes.io/instance']}`)
    }
    t.notOk(allows(ingress, 'from', { ...stableLabels, 'app.kubernetes.io/instance': 'other' }))
    t.notOk(allows(ingress, 'from', { ...canaryLabels, 'app.kubernetes.io/component': 'test' }))
  }
})

t.test('the stable release restarts no gateway when it learns of the canary', async t => {
  const before = render({ examples: ['production'] })
  t.strictSame(objectOf(stable, 'Deployment'), objectOf(before, 'Deployment'))
})

t.test('no object of the one takes a pod of the other for its own', async t => {
  const onlyOnce = ['PrometheusRule', 'HorizontalPodAutoscaler', 'PodDisruptionBudget', 'HTTPRoute', 'Ingress']
  const [stableLabels, canaryLabels] = [labelsOf(stable, 'mics'), labelsOf(canary, 'mics-canary')]
  for (const [objects, others] of [[stable, canaryLabels], [canary, stableLabels]] as const) {
    for (const { kind, metadata, spec } of objects) {
      const selector = kind === 'Service' ? { matchLabels: spec.selector } : spec?.selector
      if (selector?.matchLabels !== undefined) t.notOk(selects(selector, others), `${kind} ${metadata.name}`)
    }
  }
  const names = (objects: KubernetesObject[]): Set<string> => new Set(objects.map(({ kind, metadata }) => `${kind} ${metadata.name}`))
  t.strictSame([...names(stable)].filter(name => names(canary).has(name)), [], 'and none has the name of another')
  t.strictSame(canary.filter(({ kind }) => onlyOnce.includes(kind)), [])
})

t.test('the HTTPRoute shares new connections out by weight, only where there are others', async t => {
  const [rule] = objectOf(stable, 'HTTPRoute').spec.rules
  t.strictSame(rule.backendRefs, [
    { name: 'mics', port: 80, weight: 95 }, { name: 'mics-canary', port: 80, weight: 5 },
  ])
  t.ok(canary.some(({ kind, metadata }) => kind === 'Service' && metadata.name === rule.backendRefs[1].name))
  const alone = render({ values: { ...someValues, httpRoute: { ...stableValues.httpRoute, otherBackends: [] } } })
  t.strictSame(objectOf(alone, 'HTTPRoute').spec.rules[0].backendRefs, [{ name: 'mics', port: 80 }])
  t.match(refusal({ values: { ...someValues, httpRoute: { otherBackends: [{ name: 'mics-canary' }] } } }), /otherBackends/)
})

t.test('a canary gets no new connections before it goes: a Gateway answers 500 for a Service that is not there', async t => {
  const [own, other] = stableValues.httpRoute.otherBackends
  t.equal(other, undefined)
  const httpRoute = { ...stableValues.httpRoute, otherBackends: [{ ...own, weight: 0 }] }
  t.strictSame(objectOf(render({ examples: ['production'], values: { httpRoute } }), 'HTTPRoute').spec.rules[0].backendRefs, [
    { name: 'mics', port: 80, weight: 95 }, { name: 'mics-canary', port: 80, weight: 0 },
  ])
  const steps = guide.replace(/\s+/g, ' ')
  const places = ['weight of `mics-canary` to 0', '`helm uninstall mics-canary', 'Take `otherBackends` and `otherReleases` out']
    .map(text => steps.indexOf(text))
  t.notOk(places.includes(-1))
  t.strictSame(places, places.toSorted((a, b) => a - b))
})

t.test('with ingress-nginx the canary has an Ingress of its own for the same host and path', async t => {
  const { ingress }: any = valuesOf('canary-nginx.yaml')
  const objects = renderCanary('staging', { ingress })
  const own = objectOf(objects, 'Ingress', 'mics-canary')
  t.match(own.metadata.annotations, {
    'nginx.ingress.kubernetes.io/canary': 'true', 'nginx.ingress.kubernetes.io/canary-weight': '5',
  })
  const main = objectOf(render({ values: { ...someValues, ingress: { ...ingress, annotations: {} } } }), 'Ingress')
  const place = ({ spec }: KubernetesObject): unknown[] => spec.rules.flatMap(({ host, http }: any) =>
    http.paths.map(({ path, pathType }: any) => [host, path, pathType]))
  t.strictSame(place(own), place(main))
})
