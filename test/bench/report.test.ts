import { existsSync, readFileSync } from 'node:fs'
import t from 'tap'
import { sectionOf, withSection } from '../../bench/report/page.js'
import type { Report, Result } from '../../bench/report/result.js'
import { asText } from '../../bench/report/text.js'
import { isReached, remarks } from '../../bench/report/judgement.js'

const pair: Result = {
  shape: 'pair',
  name: 'pairs, 8 in flight, 128 B',
  unit: 'messages/s',
  subject: {
    name: 'MICS',
    values: [80_000, 90_000, 85_000],
    cpuUs: [11, 12, 12.5],
    serverBusy: [0.99, 0.99, 0.99],
    othersBusy: [0.01, 0.01, 0],
    loadBusy: [0.7, 0.7, 0.7],
    failed: [0, 0, 0],
  },
  base: { name: 'Socket.IO', values: [30_000, 40_000, 34_000], cpuUs: [30, 28, 29] },
  target: { of: 'ratio', atLeast: 2.5 },
}

const idle: Result = {
  shape: 'idle',
  name: 'an idle connection, of 50,000',
  unit: 'KB of RSS',
  subject: { name: 'MICS', values: [9.5] },
  base: { name: 'Socket.IO', values: [30] },
  target: { of: 'value', atMost: 10 },
  note: 'heartbeats take 8 % of the core',
}

const report: Report = {
  startedAt: '2026-01-02T03:04:05.000Z',
  tookSeconds: 600,
  commit: '0123456789',
  isChanged: false,
  node: 'v20.20.2',
  nodeFlags: '',
  socketIo: '4.8.4',
  machine: { cpu: 'AMD <EPYC>', cores: 2, memoryGiB: 24, system: 'Linux 6' },
  isPinned: true,
  rounds: 3,
  secondsEach: 3,
  isShort: false,
  results: [pair, idle],
  latencies: [
    { name: 'MICS', messagesPerSecond: 20_000, p50Ms: 0.2, p99Ms: 1.1 },
    { name: 'MICS', messagesPerSecond: 40_000, p50Ms: 0.3, p99Ms: 2.2 },
    { name: 'Socket.IO', messagesPerSecond: 10_000, p50Ms: 0.4, p99Ms: 3.3 },
  ],
  skipped: [{ shape: 'kafka', reason: 'no Kafka' }],
}

t.test('the table has medians, the ratio with its spread, processor time and whether the target is reached', async t => {
  const { markdown } = sectionOf(report)
  t.match(markdown, '| pairs, 8 in flight, 128 B | messages/s | MICS 85,000 | Socket.IO 34,000 | 2.50 (2.25 to 2.67) | 12.0, 29.0 | at least 2.5 times: reached |')
  t.match(markdown, '| an idle connection, of 50,000 | KB of RSS | MICS 9.50 | Socket.IO 30.0 | 0.32 (0.32 to 0.32) |  | at most 10: reached |')
})

t.test('a target that is missed says so', async t => {
  const missed = { ...pair, target: { of: 'ratio', atLeast: 3 } } as const
  t.match(sectionOf({ ...report, results: [missed] }).markdown, 'at least 3 times: **missed**')
  t.equal(isReached({ ...idle, subject: { name: 'MICS', values: [10.1] } }), false)
  t.equal(isReached({ ...idle, target: undefined }), undefined)
  t.equal(isReached({ ...idle, subject: { name: 'MICS', values: [] } }), false, 'nothing was measured')
})

t.test('the table says where, when and of what it is', async t => {
  for (const text of [sectionOf(report).markdown, asText(report)]) {
    t.match(text, 'AMD <EPYC>, 2 cores, 24 GiB, Linux 6')
    t.match(text, 'commit 0123456789;')
    t.match(text, '2026-01-02, 3 rounds of 3 s, 600 s in all')
    t.match(text, 'Node.js v20.20.2 without flags')
  }
  t.match(asText({ ...report, isChanged: true }), 'commit 0123456789 with changes')
})

t.test('notes, and what was not measured, come with the table', async t => {
  for (const text of [sectionOf(report).markdown, asText(report)]) {
    t.match(text, 'heartbeats take 8 % of the core')
    t.match(text, /ot measured.*kafka: no Kafka/)
  }
})

t.test('a server that was not fully loaded, or disturbed, or failed messages, is named', async t => {
  const of = (change: Partial<Result['subject']>): string[] => remarks({ ...pair, subject: { ...pair.subject, ...change } })
  t.same(of({}), [])
  t.same(of({ serverBusy: [0.8, 0.8, 0.8] }), ['MICS waited for round trips: it took 80 % of its core'])
  t.same(of({ serverBusy: [0.8, 0.8, 0.8], loadBusy: [1, 1, 1] }), ['MICS was limited by the generator: it took 80 % of its core'])
  t.same(of({ serverBusy: [0.8, 0.8, 0.8], othersBusy: [0.2, 0.2, 0.2] }), ['MICS was disturbed: others took 20 % of its core'])
  t.same(of({ failed: [0, 7, 1] }), ['MICS: 8 messages failed, in 3 rounds'])
})

t.test('a short run has no targets', async t => {
  t.notMatch(asText({ ...report, isShort: true }), 'at least')
})

t.test('the section takes the place between the markers, and nothing else of the page changes', async t => {
  const page = readFileSync('docs/performance.md', 'utf8')
  const once = withSection(page, { markdown: 'new', pictures: new Map() })
  const [head, tail] = once.split('\n\nnew\n\n')
  t.ok(page.startsWith(head))
  t.ok(page.endsWith(tail))
  t.equal(withSection(once, { markdown: 'new', pictures: new Map() }), once)
  t.throws(() => withSection('# Another page', { markdown: 'new', pictures: new Map() }), /no place for the results/)
})

t.test('the pictures can be read out, and are legible on a dark page', async t => {
  const { markdown, pictures } = sectionOf(report)
  t.same([...pictures.keys()], ['performance/throughput.svg', 'performance/latency.svg'])
  for (const [path, picture] of pictures) {
    t.match(markdown, `](${path})`)
    t.match(picture, /<title id="title">.+<\/title>/)
    t.match(picture, 'prefers-color-scheme: dark')
    t.notMatch(picture, 'NaN')
    t.notMatch(picture, 'Infinity')
  }
  t.match(pictures.get('performance/throughput.svg'), '<desc id="description">pairs, 8 in flight, 128 B: 2.50 times</desc>')
  t.match(pictures.get('performance/latency.svg'), 'Socket.IO at 10000 messages/s: p50 0.400 ms, p99 3.30 ms')
})

t.test('a report without anything to draw has no pictures', async t => {
  const { markdown, pictures } = sectionOf({ ...report, results: [idle], latencies: [] })
  t.equal(pictures.size, 0)
  t.notMatch(markdown, '![')
})

t.test('the documentation shows the results that are kept', {
  skip: existsSync('bench/results/latest.json') ? false : 'none are kept yet',
}, async t => {
  const page = readFileSync('docs/performance.md', 'utf8')
  const section = sectionOf(JSON.parse(readFileSync('bench/results/latest.json', 'utf8')))
  t.equal(withSection(page, section), page)
  for (const [path, picture] of section.pictures) t.equal(readFileSync(`docs/${path}`, 'utf8'), picture)
})
