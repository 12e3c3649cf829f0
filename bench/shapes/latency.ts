import type { LatencyPoint, Result } from '../report/result.js'
import type { Contestant } from '../stage.js'
import { median } from '../statistics.js'
import { closedLoop } from './closed-loop.js'
import { connectPairs, type Pairs } from './pairs.js'
import type { Generator } from '../generator/generator.js'
import type { Effort, Shape } from './shape.js'
import { steadySeconds } from './steady-seconds.js'

/** In flight of each pair where a server does what it can. */
const WINDOW = 8
const BODY_BYTES = 128

/** Shares of what each server can do. */
const LOADS = [0.25, 0.5, 0.75]

interface Side {
  contestant: Contestant
  generator: Generator
  pairs: Pairs
  /** Messages a second that it does at most. */
  most: number
}

/** To the ack, of the median second of a round. */
interface Milliseconds {
  p50: number
  p99: number
}

/** A load that is measured once a round. */
interface Run {
  side: Side
  /** Of what: the server's own most, or the other's. */
  share: number
  perSecond: number
  found: Milliseconds[]
}

export const latency: Shape = {
  name: 'latency',
  title: 'time to the ack at steady rates, by what each server can do at most',
  run: async (stage, effort) => {
    const sides: Side[] = []
    for (const contestant of [await stage.gateway(), await stage.socketIo()]) {
      const generator = await stage.generator()
      const pairs = await connectPairs(generator, contestant)
      const { perSecond } = await closedLoop(generator, contestant, pairs.load(WINDOW, BODY_BYTES), effort)
      sides.push({ contestant, generator, pairs, most: perSecond })
    }
    const [ours, theirs] = sides
    const runs = LOADS.flatMap(share => sides.map((side): Run => (
      { side, share, perSecond: side.most * share, found: [] }
    )))
    const sameRate: Run = { side: ours, share: 0.5, perSecond: theirs.most / 2, found: [] }
    for (let round = 0; round < effort.rounds; round++) {
      for (const run of [...runs, sameRate]) run.found.push(await measure(run, effort))
    }
    const halfOf = (side: Side): Run => runs.find(run => run.side === side && run.share === 0.5) as Run
    return {
      results: [
        ...lines('at half of its own most', halfOf(ours), halfOf(theirs), 1),
        ...lines('at half of Socket.IO’s most', sameRate, halfOf(theirs)),
      ],
      latencies: runs.map(({ side, perSecond, found }): LatencyPoint => ({
        name: side.contestant.name,
        messagesPerSecond: perSecond,
        p50Ms: median(found.map(({ p50 }) => p50)),
        p99Ms: median(found.map(({ p99 }) => p99)),
      })),
    }
  },
}

async function measure ({ side, perSecond }: Run, { seconds, isShort }: Effort): Promise<Milliseconds> {
  const { generator, pairs } = side
  const load = { chat: pairs.load(1, BODY_BYTES).chat, perSecond }
  // What a server and the generator need to get going is not measured.
  await generator.ask('steadyRate', { ...load, seconds: seconds / 6 })
  const found = isShort
    ? await steadySeconds(generator, load, 1, seconds)
    : await steadySeconds(generator, load, Math.ceil(seconds))
  return { p50: median(found.map(({ p50 }) => p50)), p99: median(found.map(({ p99 }) => p99)) }
}

function lines (when: string, ours: Run, theirs: Run, atMost?: number): Result[] {
  return (['p50', 'p99'] as const).map(part => ({
    shape: 'latency',
    name: `ack ${part} ${when}`,
    unit: 'ms',
    subject: { name: 'MICS', values: ours.found.map(found => found[part]) },
    base: { name: 'Socket.IO', values: theirs.found.map(found => found[part]) },
    target: atMost === undefined ? undefined : { of: 'ratio', atMost },
    note: part === 'p50'
      ? `MICS at ${Math.round(ours.perSecond)} messages/s, Socket.IO at ${Math.round(theirs.perSecond)}`
      : undefined,
  }))
}
