import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { parse } from 'yaml'
import { environmentVariables } from '../../lib/config/environment.js'
import { EventType } from '../../lib/gen/mics/hook/v1/hook_pb.js'
import { alertGroups } from '../helpers/alert-rules.js'
import { helm } from '../helpers/helm.js'
import { codeIn, readDocument, root, tableRows, withoutCode } from '../helpers/markdown.js'
import { promtool } from '../helpers/prometheus-server.js'
import { mics } from '../cli/run.js'

const guides = readdirSync(`${root}docs/ops`).filter(name => name.endsWith('.md')).map(name => `docs/ops/${name}`)

/** metrics-table.test.ts holds the table against the gateway. */
const metrics = new Map(tableRows(readDocument('docs/metrics.md'))
  .filter(([name]) => /^`mics_\w+`$/.test(name))
  .map(([name, type]) => [codeIn(name)[0], type]))

const variables = new Set([
  ...environmentVariables.map(({ name }) => name),
  ...Object.keys(EventType),
  // Of Node.js, of `mics events`, and of the client in docs/protocol.md.
  'NODE_OPTIONS', 'NODE_EXTRA_CA_CERTS', 'MICS_EVENT_SECRET', 'MICS_URL',
])

/** Names of the chart's values, as paths. */
function pathsOf (values: object, prefix = ''): string[] {
  return Object.entries(values).flatMap(([key, value]) => {
    const path = `${prefix}${key}`
    return typeof value === 'object' && value !== null ? [path, ...pathsOf(value, `${path}.`)] : [path]
  })
}

/** In the acceptance playbook, whose commands are run: its own variable, a code of Kafka's, and a mistyped one. */
const others = new Set(['FIRST_PORT', 'UNKNOWN_TOPIC', 'REDIS_GRACE_SECOND', 'REDIS_SERVER_PATH', 'JAVA_PATH'])

/** Lines of a guide's `sh` blocks, continued ones as one and without comments, and what its text has in backquotes. */
function commandsIn (text: string): string[] {
  const lines = [...text.matchAll(/^```sh\n(.*?)^```/gms)].flatMap(([, block]) => block.replace(/\\\n */g, '').split('\n'))
  return [...lines, ...codeIn(withoutCode(text))].map(command => command.replace(/\s#\s.*/, '').trim())
}

const values: object = parse(readDocument('helm/mics/values.yaml'))
const paths = new Set(pathsOf(values))
/** What is below these is not in the defaults: variables, tenants, objects of Kubernetes. */
const open = ['config', 'secrets', 'tenants', 'resources']

for (const guide of guides) {
  const text = readDocument(guide)

  t.test(`every metric that ${guide} names exists`, async t => {
    for (const [name] of new Set([...text.matchAll(/\bmics_\w+/g)].map(String).map(name => [name]))) {
      const [, base, part] = /^(\w+?)(_bucket|_sum|_count)?$/.exec(name) ?? []
      t.ok(metrics.has(name) || (part !== undefined && metrics.get(base) === 'histogram'), name)
    }
  })

  t.test(`every variable that ${guide} names exists`, async t => {
    const named = [...text.matchAll(/(?<![\w./-])[A-Z][A-Z0-9]*(?:_+[A-Z0-9]+)+(?![\w])/g)].map(([name]) => name)
    for (const name of new Set(named)) t.ok(variables.has(name) || name.startsWith('OTEL_') || others.has(name), name)
  })

  t.test(`every value of the chart that ${guide} names exists`, async t => {
    const named = codeIn(withoutCode(text)).filter(code => /^[a-z]\w*(\.\w+)+$/.test(code))
      .filter(code => Object.hasOwn(values, code.split('.')[0]) && !open.includes(code.split('.')[0]))
    for (const path of new Set(named)) t.ok(paths.has(path), path)
  })

  t.test(`every alert that ${guide} names exists`, async t => {
    const alerts = new Set(alertGroups().flatMap(({ rules }) => rules.map(({ alert }) => alert)))
    for (const [name] of text.matchAll(/\bMics[A-Z]\w+/g)) t.ok(alerts.has(name), name)
  })
}

t.test('every query that the guides show is one', async t => {
  const shown = guides.flatMap(guide => {
    const text = readDocument(guide)
    const blocks = [...text.matchAll(/```promql\n([\s\S]*?)```/g)].map(([, query]) => query)
    const inline = codeIn(withoutCode(text)).filter(code => /^(sum|max|min|topk|rate|increase|histogram_quantile)\b.*[)\]}]/.test(code))
    return [...blocks, ...inline].map(query => query.replaceAll('\\|', '|'))
  })
  t.ok(shown.length > 20, 'the test finds them')
  const rules = shown.map((expr, i) => ({ record: `query:${i}`, expr }))
  const folder = t.testdir({ 'rules.yaml': JSON.stringify({ groups: [{ name: 'guides', rules }] }) })
  const { status, stdout, stderr } = spawnSync(promtool(), ['check', 'rules', join(folder, 'rules.yaml')], { encoding: 'utf8' })
  t.equal(status, 0, `${stdout}${stderr}`)
})

t.test('every option of mics that the guides name exists', async t => {
  const calls = guides.flatMap(guide => readDocument(guide).match(/(?:mics(?:\.js)? [a-z]|npm run (?:dev|mics) -- )[^`\n|]*/g) ?? [])
  const commands = ['client', 'dev', 'hook mock', 'hook doctor', 'events tail', 'events dlq list', 'events dlq replay', 'trace-message', 'config check', 'start']
  for (const command of commands) {
    const named = calls.filter(call => call.includes(` ${command} `) || call.startsWith(`npm run ${command} `))
      .flatMap(call => call.match(/(?<= )--[a-z][a-z-]*/g) ?? [])
    if (named.length === 0) continue
    const { stdout } = await mics([...command.split(' '), '--help'])
    for (const option of new Set(named)) t.match(stdout, new RegExp(`${option}\\b`), `${command} ${option}`)
  }
})

t.test('every option of helm that the guides name exists', async t => {
  const calls = guides.flatMap(guide => commandsIn(readDocument(guide)))
    .flatMap(command => command.match(/(?:^|(?<=[|&;(] *))helm [a-z]+.*/) ?? [])
  const options = new Map<string, Set<string>>()
  for (const call of calls) {
    const [, command, ...words] = call.split(' ')
    const named = options.get(command) ?? new Set()
    for (const word of words.filter(word => word.startsWith('-'))) named.add(word.split('=')[0])
    options.set(command, named)
  }
  t.ok(options.size >= 5, 'the test finds them')
  for (const [command, named] of options) {
    const { status, stdout } = helm([command, '--help'])
    t.equal(status, 0, `helm ${command}`)
    for (const option of named) t.match(stdout, new RegExp(`(?<![\\w-])${option}(?![\\w-])`), `helm ${command} ${option}`)
  }
})

t.test('what the guides run in a pod is there', async t => {
  const inPods = guides.flatMap(guide => commandsIn(readDocument(guide)))
    .flatMap(command => /kubectl exec .* -- (\S+)/.exec(command)?.[1] ?? [])
  t.ok(inPods.length >= 3, 'the test finds them')
  // The image is Debian's smallest with Node.js: neither curl nor ps nor pgrep.
  for (const program of new Set(inPods)) t.ok(['mics', 'node', 'sh'].includes(program), program)
})
