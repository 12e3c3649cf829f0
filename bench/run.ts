/**
 * The gateway beside a Socket.IO server, with the same loads: `npm run bench -- --help`. docs/performance.md says what
 * each number means.
 */
import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname } from 'node:path'
import { commit, thisMachine } from './machine.js'
import { Core, hasTaskset, pin } from './cores.js'
import { help, readOptions, UsageError, type Options } from './options.js'
import type { Report } from './report/result.js'
import { sectionOf, withSection } from './report/page.js'
import { asText } from './report/text.js'
import { NotPossibleError, type Effort } from './shapes/shape.js'
import { shapes } from './shapes/all.js'
import { Stage } from './stage.js'

const WARM_UP_SECONDS = 1
const PAGE = 'docs/performance.md'
const LATEST = 'bench/results/latest.json'

try {
  const options = readOptions(process.argv.slice(2), shapes)
  if (options === undefined) console.log(help(shapes))
  else await bench(options)
} catch (error) {
  if (!(error instanceof UsageError)) throw error
  console.error(`${error.message}\n\nnpm run bench -- --help tells more.`)
  process.exitCode = 2
}

async function bench (options: Options): Promise<void> {
  const report = options.from === undefined ? await measure(options) : JSON.parse(readFileSync(options.from, 'utf8')) as Report
  console.log(`\n${asText(report)}`)
  if (options.from === undefined) console.log(`The results are in ${save(report)}`)
  if (options.write) publish(report)
}

async function measure (options: Options): Promise<Report> {
  if (process.platform !== 'linux') throw new UsageError('the bench reads processor time and memory from /proc: run it on Linux')
  build()
  // This process only waits, but it must not do so on the server's core.
  pin(Core.LOAD, process.pid)
  const effort: Effort = {
    rounds: options.rounds,
    seconds: options.seconds,
    warmUpSeconds: options.isShort ? options.seconds / 2 : WARM_UP_SECONDS,
    isShort: options.isShort,
  }
  const startedAt = new Date()
  const report: Report = {
    startedAt: startedAt.toISOString(),
    tookSeconds: 0,
    ...commit(),
    node: process.version,
    nodeFlags: [process.env.NODE_OPTIONS].filter(Boolean).join(' '),
    socketIo: createRequire(import.meta.url)('socket.io/package.json').version,
    machine: thisMachine(),
    isPinned: hasTaskset,
    rounds: options.rounds,
    secondsEach: options.seconds,
    isShort: options.isShort,
    results: [],
    latencies: [],
    skipped: [],
  }
  for (const shape of options.shapes) {
    const began = performance.now()
    process.stderr.write(`${shape.name}: ${shape.title} ... `)
    const stage = new Stage()
    try {
      const { results, latencies = [], skipped = [] } = await shape.run(stage, effort)
      report.results.push(...results)
      report.latencies.push(...latencies)
      report.skipped.push(...skipped)
    } catch (error) {
      report.skipped.push({ shape: shape.name, reason: (error as Error).message })
      if (!(error instanceof NotPossibleError)) {
        // The other shapes are measured all the same.
        console.error(error)
        process.exitCode = 1
      }
    } finally {
      stage.close()
    }
    process.stderr.write(`${((performance.now() - began) / 1000).toFixed(0)} s\n`)
  }
  report.tookSeconds = Math.round((Date.now() - startedAt.getTime()) / 1000)
  return report
}

/** The gateway is measured as it is shipped. */
function build (): void {
  const { status } = spawnSync(process.execPath, ['scripts/build-if-stale.js'], { stdio: 'inherit' })
  if (status !== 0) throw new Error('the gateway could not be built')
}

/** Returns the path of the file. */
function save (report: Report): string {
  mkdirSync('bench/results', { recursive: true })
  const path = `bench/results/${report.startedAt.slice(0, 19).replaceAll(':', '')}-${report.commit}.json`
  writeFileSync(path, `${JSON.stringify(report, undefined, 2)}\n`)
  return path
}

/** What the documentation shows; committed with it. */
function publish (report: Report): void {
  if (report.isShort) throw new UsageError('--write is for results that mean something: these are of a short run')
  const section = sectionOf(report)
  for (const [path, picture] of section.pictures) {
    mkdirSync(dirname(`docs/${path}`), { recursive: true })
    writeFileSync(`docs/${path}`, picture)
  }
  writeFileSync(PAGE, withSection(readFileSync(PAGE, 'utf8'), section))
  writeFileSync(LATEST, `${JSON.stringify(report, undefined, 2)}\n`)
  console.log(`${PAGE} and ${LATEST} have them, too`)
}
