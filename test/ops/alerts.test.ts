import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import t, { type Test } from 'tap'
import { parse } from 'yaml'
import { alertGroups, alertsFile } from '../helpers/alert-rules.js'
import { anchors, readDocument, root, section } from '../helpers/markdown.js'
import { promtool } from '../helpers/prometheus-server.js'

interface UnitTest {
  name: string
  promql_expr_test: Array<{ exp_samples: Array<{ labels: string }> }>
}

const folder = `${root}test/ops/alerts`
const files = readdirSync(folder).map(name => `${folder}/${name}`)
const groups = alertGroups()
const runbook = readDocument('docs/ops/runbook.md')

function runPromtool (t: Test, ...args: string[]): void {
  const { status, stdout, stderr } = spawnSync(promtool(), args, { encoding: 'utf8' })
  t.equal(status, 0, `${stdout}${stderr}`)
}

t.test('promtool finds nothing wrong with the rules', async t => {
  runPromtool(t, 'check', 'rules', '--lint=all', '--lint-fatal', alertsFile)
})

for (const file of files) {
  t.test(`the unit tests in ${file.slice(folder.length + 1)} hold`, async t => runPromtool(t, 'test', 'rules', file))
}

t.test('there is a file of unit tests for each group of alerts, and of each alert that it fires and that it is silent', async t => {
  t.same(files.map(file => file.slice(folder.length + 1)).sort(), groups.map(({ name }) => `${name.slice('mics-'.length)}.yaml`).sort())
  for (const { name: group, rules } of groups) {
    const { tests } = parse(readFileSync(`${folder}/${group.slice('mics-'.length)}.yaml`, 'utf8')) as { tests: UnitTest[] }
    for (const { alert } of rules) {
      const fires = tests.find(({ name }) => name.startsWith(`${alert} fires: `))
      t.match(fires?.promql_expr_test[0].exp_samples[0].labels, `alertname="${alert}"`, `${alert} fires`)
      const silent = tests.find(({ name }) => name.startsWith(`${alert} is silent: `))
      t.same(silent?.promql_expr_test[0].exp_samples, [], `${alert} is silent`)
    }
  }
})

t.test('each alert says how bad it is, since when, what it is, and where to read on', async t => {
  for (const rule of groups.flatMap(({ rules }) => rules)) {
    t.match(rule.alert, /^Mics([A-Z][a-z]+)+$/)
    t.match(rule.labels.severity, /^(critical|warning)$/, rule.alert)
    t.match(rule.for, /^\d+[sm]$/, rule.alert)
    t.match(rule.annotations.summary, /^[^\n]{10,100}$/, rule.alert)
    t.match(rule.annotations.description, /\.$/, rule.alert)
    t.equal(rule.annotations.runbook_url, `docs/ops/runbook.md#${rule.alert.toLowerCase()}`)
    t.ok(anchors(runbook).has(rule.alert.toLowerCase()), `the runbook has ${rule.alert}`)
  }
})

t.test('the runbook says of each alert what users notice, how to look and what to do, and has no other', async t => {
  const alerts = groups.flatMap(({ rules }) => rules.map(({ alert }) => alert))
  t.same([...runbook.matchAll(/^### (\w+)$/gm)].map(([, name]) => name).sort(), [...alerts].sort())
  for (const alert of alerts) {
    const text = section(runbook, alert)
    for (const part of ['**Users notice:**', '**Look:**', '```promql', '**Do:**']) t.ok(text.includes(part), `${alert}: ${part}`)
  }
})

t.test('log lines in the runbook are those in operations', async t => {
  const known = readDocument('docs/operations.md').replaceAll('`', '')
  for (const [, lines] of runbook.replace(/\n/g, ' ').matchAll(/Log lines? (.+?)(?:\*\*|```)/g)) {
    for (const [, line] of lines.matchAll(/`([^`]+)`/g)) {
      t.ok(known.includes(line.replace(/: …$|…$/, '').trim()), line)
    }
  }
})
