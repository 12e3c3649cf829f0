import { readFileSync, rmSync } from 'node:fs'
import t from 'tap'
import type { Report } from '../../bench/report/result.js'
import { npmRun } from './npm-run.js'

// That the benchmark works, not how fast anything is.

const SHAPES = ['pair', 'latency', 'group', 'hooks', 'tenants', 'isolation', 'connects', 'idle']

t.test('a short run of the benchmark measures every shape, prints the table and keeps the numbers', async t => {
  const { stdout, stderr, exitCode } = await npmRun('bench', '--short')
  t.equal(exitCode, 0, stderr)
  const [, path = ''] = /^The results are in (\S+)$/m.exec(stdout) ?? []
  t.match(path, /^bench\/results\/.+\.json$/)
  t.teardown(() => rmSync(path, { force: true }))
  const report = JSON.parse(readFileSync(path, 'utf8')) as Report
  t.equal(report.isShort, true)
  t.strictSame([...new Set(report.results.map(({ shape }) => shape))].toSorted(), SHAPES.toSorted())
  for (const { name, subject, base } of report.results) {
    for (const { values } of [subject, base].filter(series => series !== undefined)) {
      t.ok(values.length > 0 && values.every(value => Number.isFinite(value) && value > 0), `${name}: ${values.join()}`)
    }
    t.match(stdout, name)
  }
})
