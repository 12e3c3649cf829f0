import t from 'tap'
import { npmRun } from './npm-run.js'

// That the benchmarks work, not how fast anything is.

const BLOCKS: Record<string, number> = { codec: 10, pipeline: 1, router: 2, forward: 1, 'offline-buffer': 2 }

const TIME = String.raw`\d+(\.\d+)? (ns|µs)`
const LINE = new RegExp(String.raw`^\S.*?( +${TIME}){4} +\d+\.\d\dx$`)
const HEADING = /^ +median +lowest +highest +CPU +ratio$/

for (const [name, blocks] of Object.entries(BLOCKS)) {
  t.test(`the microbenchmark ${name} prints a table for each of its blocks`, async t => {
    const { stdout, stderr, exitCode } = await npmRun('bench:micro', name, '--short')
    t.equal(exitCode, 0, stderr)
    const lines = stdout.split('\n')
    t.equal(lines.filter(line => line.startsWith('== ')).join(), `== ${name}`)
    const headings = lines.flatMap((line, i) => HEADING.test(line) ? [i] : [])
    t.equal(headings.length, blocks, stdout)
    for (const at of headings) {
      t.match(lines[at - 1], /^\S.* \(.+\)$/)
      const end = lines.indexOf('', at)
      const rows = lines.slice(at + 1, end)
      t.ok(rows.length >= 2, 'there is something to compare')
      for (const row of rows) t.match(row, LINE)
      t.ok(rows[0].endsWith(' 1.00x'), 'the first line is what the others are compared to')
    }
  })
}

t.test('for programs, microbenchmarks print JSON', async t => {
  const { stdout, stderr, exitCode } = await npmRun('bench:micro', 'router', 'offline-buffer', '--short', '--json')
  t.equal(exitCode, 0, stderr)
  const { node, rounds, roundMs, results } = JSON.parse(stdout)
  t.match({ node, rounds, roundMs }, { node: process.version, rounds: 1, roundMs: Number })
  t.same([...new Set(results.map(({ benchmark }: { benchmark: string }) => benchmark))], ['router', 'offline-buffer'])
  for (const { medianNs, lowestNs, highestNs, cpuNs, ratio, ...about } of results) {
    t.match(about, { block: /./, name: /./, op: /./ })
    for (const [key, value] of Object.entries({ medianNs, lowestNs, highestNs, cpuNs, ratio })) {
      t.ok(Number.isFinite(value) && value > 0, `${about.name}: ${key}`)
    }
  }
})

t.test('a microbenchmark that is not there is refused, and those that are named', async t => {
  const { stdout, stderr, exitCode } = await npmRun('bench:micro', 'decoder')
  t.equal(exitCode, 2)
  t.equal(stdout, '')
  t.match(stderr, 'there is no benchmark "decoder"')
  t.match(stderr, 'codec|pipeline|router|forward|offline-buffer')
})
