import { existsSync, readdirSync } from 'node:fs'
import t from 'tap'
import { scenarioSchema } from '../../lib/mock-gateway/scenario-schema.js'
import { anchors, isRelative, linksIn, readDocument, resolveLink, root, section, withoutCode } from '../helpers/markdown.js'
import { parseScenario } from '../../lib/mock-gateway/parse-scenario.js'
import { shippedScenarios } from './scenarios.js'

const path = 'conformance/README.md'
const text = readDocument(path)

t.test('every link leads somewhere', async t => {
  for (const target of linksIn(withoutCode(text)).filter(isRelative)) {
    const { path: file, anchor } = resolveLink(path, target)
    t.ok(existsSync(`${root}${file}`), target)
    if (anchor !== undefined) t.ok(anchors(readDocument(file)).has(anchor), target)
  }
})

t.test('every file of vectors is in the table, with its lists', async t => {
  for (const file of readdirSync(`${root}conformance/vectors`)) {
    const row = section(text, 'Vectors').split('\n').find(line => line.startsWith('|') && line.split('|')[1].includes(`\`${file}\``))
    t.type(row, 'string', file)
    const { version, description, message, ...lists } = JSON.parse(readDocument(`conformance/vectors/${file}`))
    for (const list of Object.keys(lists)) t.match(row, `\`${list}\``, `${file}: ${list}`)
  }
})

t.test('every word of a scenario is explained', async t => {
  const scenarios = section(text, 'Scenarios')
  const { properties, definitions } = scenarioSchema
  const { rules, expect } = properties
  const parts = [
    properties, rules.items.properties.when.properties, definitions.action.properties, expect.properties,
  ]
  const explainThemselves = ['description', 'rules', 'text']
  for (const word of parts.flatMap(Object.keys).filter(word => !explainThemselves.includes(word))) {
    t.match(scenarios, new RegExp(`[\`.]${word.replace('$', '\\$')}[\`:]`), word)
  }
})

t.test('the example is a scenario, and the families of scenarios that it names are there', async t => {
  const [, example] = /```json\n([\s\S]*?)```/.exec(text) ?? []
  t.strictSame(parseScenario(example).rules?.[0].do, { drop: 'half' })
  const names = shippedScenarios().map(([name]) => name)
  const named = [...section(text, 'The way to a tested SDK').matchAll(/`([a-z]+(?:-[a-z]+)*(?:-\*)?)`/g)].map(([, name]) => name)
  t.ok(named.length > 12)
  for (const name of named) {
    t.ok(names.some(one => name.endsWith('*') ? one.startsWith(name.slice(0, -1)) : one === name), name)
  }
})

t.test('every shipped scenario says what is expected of a client', async t => {
  for (const [name, { description, client, expect, $schema }] of shippedScenarios()) {
    t.match({ description, $schema, text: expect?.text, state: expect?.state }, { description: /\.$/, $schema: '../scenario.schema.json', text: /\.$/, state: String }, name)
    t.type(client?.tokens, Array, name)
  }
})
