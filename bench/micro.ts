/**
 * What the parts of the hot path cost by themselves: nanoseconds an operation, and the ratio to something meaningful.
 * Rounds are interleaved and reported with their spread: compare the lines with each other, not with another machine's.
 *
 *   npm run bench:micro -- [codec|pipeline|router|forward|offline-buffer ...] [--short] [--json]
 *
 * Default: all. --short: enough to see that they work, too little to trust a figure. --json: for programs.
 */
import { parseArgs } from 'node:util'
import { codec } from './micro/codec.js'
import { forward } from './micro/forward.js'
import { measure, type Block } from './micro/measure.js'
import { offlineBuffer } from './micro/offline-buffer.js'
import { pipeline } from './micro/pipeline.js'
import { json, table } from './micro/report.js'
import { router } from './micro/router.js'

/** Each makes its blocks, hands them over to be measured, and takes down what it needed for them. */
const BENCHMARKS: Record<string, (run: (blocks: Block[]) => Promise<void>) => Promise<void>> = {
  codec, pipeline, router, forward, 'offline-buffer': offlineBuffer,
}

function fail (problem: string): never {
  console.error(`${problem}\nusage: npm run bench:micro -- [${Object.keys(BENCHMARKS).join('|')} ...] [--short] [--json]`)
  process.exit(2)
}

function parse (): { names: string[], short: boolean, asJson: boolean } {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: { short: { type: 'boolean', default: false }, json: { type: 'boolean', default: false } },
    })
    const names = positionals.length > 0 ? positionals : Object.keys(BENCHMARKS)
    return { names, short: values.short, asJson: values.json }
  } catch (error) {
    return fail((error as Error).message)
  }
}

const { names, short, asJson } = parse()
const unknown = names.find(name => !Object.hasOwn(BENCHMARKS, name))
if (unknown !== undefined) fail(`there is no benchmark "${unknown}"`)

const effort = short ? { rounds: 1, roundMs: 2 } : { rounds: 9, roundMs: 60 }
const results: object[] = []
if (!asJson) {
  console.log(`Node.js ${process.version}, ${effort.rounds} rounds of at least ${effort.roundMs} ms. Times of one ` +
    'operation; ratios are of processor time, to the first line of a block.')
}
for (const name of names) {
  if (!asJson) console.log(`\n== ${name}`)
  await BENCHMARKS[name](async blocks => {
    for (const block of blocks) {
      const measured = { block, costs: await measure(block, effort) }
      results.push(...json(name, measured))
      if (!asJson) console.log(`\n${table(measured)}`)
    }
  })
}
if (asJson) console.log(JSON.stringify({ node: process.version, ...effort, results }, null, 2))
