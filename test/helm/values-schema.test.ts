import t from 'tap'
import { defaultText, environmentVariables, type EnvironmentVariable } from '../../lib/config/environment.js'
import { valuesSchema } from '../../scripts/helm-chart/values-schema.js'
import { refusal, render, someValues } from '../helpers/helm.js'
import { readDocument } from '../helpers/markdown.js'

const schema = JSON.parse(readDocument('helm/mics/values.schema.json'))

/** A value that the gateway takes, in YAML's own types. */
function good (variable: EnvironmentVariable): unknown {
  switch (variable.type) {
    case 'integer': return Math.max(variable.min, variable.name.endsWith('PORT') ? 1 : 0)
    case 'boolean': return !variable.default
    case 'choice': return variable.choices[0]
    case 'tenant-map': return { acme: variable.values === 'integer' ? 1 : 'x' }
    case 'text': return { NODE_ID: 'eu-$(POD_NAME)', PUBLIC_ENDPOINT: 'http://[$(POD_IP)]:8081', WORKERS: '1' }[variable.name] ?? 'text'
  }
}

/** The place in the values that a variable has. */
function place ({ secret }: EnvironmentVariable): 'config' | 'secrets' {
  return secret ? 'secrets' : 'config'
}

t.test('values.schema.json is what the code makes it: `npm run generate:chart` writes it', async t => {
  t.strictSame(schema, JSON.parse(JSON.stringify(valuesSchema())))
})

t.test('every variable of the gateway can be set, and nothing else; secret ones among the secrets alone', async t => {
  const names = (secret: boolean): string[] =>
    environmentVariables.filter(variable => variable.secret === secret).map(({ name }) => name).sort()
  t.strictSame(Object.keys(schema.properties.config.properties).sort(), names(false))
  t.strictSame(Object.keys(schema.properties.secrets.properties).sort(), names(true))
})

t.test('every variable at once is taken', async t => {
  const values: Record<string, Record<string, unknown>> = { config: {}, secrets: {} }
  for (const variable of environmentVariables) values[place(variable)][variable.name] = good(variable)
  t.doesNotThrow(() => render({ values }))
})

t.test('a value out of range is refused, and all of them are named', async t => {
  const bad: Record<string, Record<string, unknown>> = { config: {}, secrets: {} }
  const spoilt = environmentVariables.filter(({ type }) => type !== 'tenant-map')
  for (const variable of spoilt) {
    bad[place(variable)][variable.name] = variable.type === 'integer'
      ? variable.max + 1
      : variable.type === 'text' ? 1 : 'no such thing'
  }
  const message = refusal({ values: bad })
  for (const variable of spoilt) {
    t.match(message, new RegExp(`at '/${place(variable)}/${variable.name}'`), `${variable.name}, by default ${defaultText(variable)}`)
  }
})

t.test('a typo is an error with its name, wherever it is', async t => {
  const typos: [string, object][] = [
    ['replicCount', { replicCount: 3 }],
    ['repositry', { image: { repositry: 'x' } }],
    ['LOG_LEVLE', { config: { LOG_LEVLE: 'warn' } }],
    ['REDIS_ULR', { secrets: { REDIS_ULR: 'redis:6379' } }],
    ['authURL', { tenants: { acme: { authURL: 'http://h' } } }],
    ['tenantMaxConections', { tenants: { acme: { authUrl: 'http://h', caps: { tenantMaxConections: 1 } } } }],
    ['periodSecond', { probes: { readiness: { periodSecond: 1 } } }],
    ['enable', { ingress: { enable: true } }],
    ['clientFrom', { networkPolicy: { clientFrom: [] } }],
    ['maxReplica', { autoscaling: { maxReplica: 3 } }],
    ['zones', { topologySpread: { zones: '' } }],
    ['label', { serviceMonitor: { label: {} } }],
    ['postgres', { dev: { postgres: {} } }],
  ]
  for (const [name, typo] of typos) {
    t.match(refusal({ values: { ...someValues, ...typo } }), new RegExp(`additional properties '${name}' not allowed`))
  }
})

t.test('values of a wrong kind are refused by their place', async t => {
  const wrong: [string, object][] = [
    ['/replicaCount', { replicaCount: 'two' }],
    ['/replicaCount', { replicaCount: -1 }],
    ['/image/pullPolicy', { image: { pullPolicy: 'Sometimes' } }],
    ['/topologySpread/zone', { topologySpread: { zone: 'Never' } }],
    ['/tenants/acme/authUrl', { tenants: { acme: { authUrl: 'hooks.acme.example' } } }],
    ['/tenants/acme/hookMaxConcurrency', { tenants: { acme: { authUrl: 'http://h', hookMaxConcurrency: 0 } } }],
    ['/config/NODE_ID', { config: { NODE_ID: 'the-same-for-all' } }],
    ['/config/PUBLIC_ENDPOINT', { config: { PUBLIC_ENDPOINT: 'http://the-same-for-all:8081' } }],
    ['/config/PORT', { config: { PORT: 0 } }],
    ['/config/WORKERS', { config: { WORKERS: 'auto' } }],
    ['/serviceMonitor/interval', { serviceMonitor: { interval: 'often' } }],
    ['/podDisruptionBudget/maxUnavailable', { podDisruptionBudget: { maxUnavailable: 'one' } }],
  ]
  for (const [place, values] of wrong) t.match(refusal({ values: { ...someValues, ...values } }), `at '${place}'`)
  for (const id of [' acme', 'acme ', 'a\nb', '', 'a'.repeat(129)]) {
    t.match(refusal({ values: { ...someValues, tenants: { [id]: { authUrl: 'http://h' } } } }), 'invalid propertyName', JSON.stringify(id))
  }
  t.doesNotThrow(() => render({ values: { ...someValues, podDisruptionBudget: { maxUnavailable: '25%' } } }))
})
