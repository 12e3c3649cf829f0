import t from 'tap'
import { blocksOf, Guide } from '../helpers/guide.js'
import { readDocument } from '../helpers/markdown.js'
import { mics } from '../cli/run.js'

const page = 'docs/guides/load-testing.md'
const text = readDocument(page)

/** At the gateway of this test. On a machine with much else to do a hook call may take more than its 150 ms. */
function patiently (line: string): string {
  const command = line.replace('--tenant demo', '--tenant demo --url ws://localhost:8080')
  return [command, command, command].join(' || ')
}

t.test('the guide to load testing runs as pasted, and prints what it says', async t => {
  const loads = blocksOf(text).filter(({ kind }) => kind === 'command')
    .flatMap(block => block.text.split('\n')).filter(line => / load /.test(line))
  t.equal(loads.length, 3)
  await Guide.follow(t, page, {
    ports: ['8080'],
    instead: { 'npm run dev': 'npm run dev -- --port 8080', ...Object.fromEntries(loads.map(line => [line, patiently(line)])) },
  })
})

t.test('what the guide runs against an installation of its reader are options that there are', async t => {
  const commands = [...text.matchAll(/^```\n((?:\S+=\S+ )?mics load .*)\n```$/gm)].map(([, command]) => command)
  t.equal(commands.length, 2)
  const { stdout: help } = await mics(['load', '--help'])
  for (const command of commands) {
    for (const [option] of command.matchAll(/--[a-z-]+/g)) t.match(help, new RegExp(`\\s${option}\\b`), command)
  }
  for (const [, option] of text.matchAll(/`(--[a-z-]+)[ `]/g)) t.match(help, new RegExp(`\\s${option}\\b`), option)
})

t.test('the guide describes each field of the result', async t => {
  const { stdout } = await mics(['load', 'connect', '--url', 'ws://127.0.0.1:1', '--tenant', 't1', '--connections', '1', '--duration', '0.1', '--json'])
  const result = JSON.parse(stdout) as Record<string, unknown>
  const chapter = /^## The result as JSON\n([\s\S]*?)^## /m.exec(text)?.[1] ?? ''
  const named = new Set([...chapter.matchAll(/`(\w+)`/g)].map(([, name]) => name))
  for (const [name, value] of Object.entries(result)) {
    t.ok(named.has(name), name)
    const isByReason = name === 'complaints'
    if (value === null || typeof value !== 'object' || Array.isArray(value) || isByReason) continue
    for (const field of Object.keys(value)) t.ok(named.has(field), `${name}.${field}`)
  }
})
