import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { parse } from 'yaml'
import { chartFolder, exampleNames, objectOf, render, someValues, type RenderOptions } from '../helpers/helm.js'
import { readDocument } from '../helpers/markdown.js'

// Helm shows notes only where it reaches a cluster. So a copy of the chart has them in a ConfigMap.
const chart = mkdtempSync(join(tmpdir(), 'mics-chart-'))
t.teardown(() => rmSync(chart, { recursive: true }))
cpSync(chartFolder, chart, { recursive: true })
cpSync(join(chartFolder, 'templates/NOTES.txt'), join(chart, 'files/notes.txt'))
writeFileSync(join(chart, 'templates/notes.yaml'), [
  'apiVersion: v1', 'kind: ConfigMap', 'metadata: {name: notes}',
  'data: {notes: {{ tpl (.Files.Get "files/notes.txt") . | toJson }}}',
].join('\n'))

function notesOf (options: RenderOptions): string {
  return objectOf(render({ ...options, chart }), 'ConfigMap', 'notes').data?.notes ?? ''
}

const notesWith = (values: object): string => notesOf({ values: { ...someValues, ...values } })
const tenants = { acme: { authUrl: 'http://h' } }
const noWayIn = 'There is no public way in'
const noTenants = 'No tenants are configured'
const onlyToTry = 'is for trying things out'

t.test('they say what is installed, and how to check it', async t => {
  const { appVersion } = parse(readDocument('helm/mics/Chart.yaml'))
  t.match(notesWith({}), `MICS ${appVersion} is being installed as mics.`)
  const notes = notesOf({ release: 'im', values: { ...someValues, fullnameOverride: 'gateway' } })
  t.match(notes, '  kubectl --namespace im rollout status deployment/gateway\n')
  t.match(notes, '  helm test im --namespace im\n')
})

t.test('they say where clients connect: by the Ingress, with TLS or without', async t => {
  const plain = notesWith({ ingress: { enabled: true, host: 'im.example.com' } })
  t.match(plain, 'Clients connect to ws://im.example.com/ws\n')
  t.notMatch(plain, noWayIn)
  t.match(notesWith({ ingress: { enabled: true, host: 'im.example.com', tlsSecret: 'tls' } }), 'Clients connect to wss://im.example.com/ws\n')
})

t.test('they say where clients connect: by the HTTPRoute, with host names or without', async t => {
  const httpRoute = { enabled: true, parentRefs: [{ name: 'public' }], hostnames: ['a.example.com', 'b.example.com'] }
  const named = notesWith({ httpRoute })
  t.match(named, 'Clients connect to /ws at a.example.com, b.example.com\n')
  t.notMatch(named, noWayIn)
  t.match(notesWith({ httpRoute: { ...httpRoute, hostnames: [] } }), 'Clients connect to /ws at the Gateway\'s own names\n')
})

t.test('they say how to connect from this machine where there is no public way in', async t => {
  const notes = notesWith({ service: { port: 8000 } })
  t.match(notes, noWayIn)
  t.match(notes, '  kubectl --namespace im port-forward service/mics 8080:8000\n')
  t.match(notes, 'ws://localhost:8080/ws')
})

t.test('they say that tenants are missing, only where the chart knows it', async t => {
  t.match(notesWith({}), noTenants)
  for (const values of [{ tenants }, { tenantsSecret: { existing: 'file' } }, { config: { TENANT_AUTH_MAP: 'acme=http://h' } }]) {
    t.notMatch(notesWith(values), noTenants)
  }
})

t.test('they say of each thing under dev that it is for trying things out', async t => {
  t.notMatch(notesWith({}), onlyToTry)
  for (const name of ['redis', 'kafka', 'hooks']) t.match(notesWith({ dev: { [name]: { enabled: true } } }), onlyToTry, name)
})

t.test('they are text without gaps for every example', async t => {
  for (const example of exampleNames) {
    const notes = notesOf({ examples: [example] })
    t.notMatch(notes, /\n\n\n|<no value>|[{}]/, example)
    t.notMatch(notes, noTenants, example)
    t.equal(notes.includes(onlyToTry), example === 'dev', example)
  }
})
