import { setTimeout as delay } from 'node:timers/promises'
import { Core } from '../cores.js'
import type { Generator } from '../generator/generator.js'
import type { Chat, Measured } from '../generator/orders.js'
import type { Series } from '../report/result.js'
import type { Contestant } from '../stage.js'
import type { Effort } from './shape.js'

export interface Load {
  chat: Chat
  /** Messages in flight of each sender. */
  window: number
  /** Crowds that receive; they and the sender's are counted. */
  crowds: string[]
  /** What the rate and the processor time are of. */
  per: 'messages' | 'deliveries'
}

/** Shares of cores, 0 to 1. */
interface Busy {
  /** Of the server's core: the server, and others. */
  server: number
  others: number
  /** Of the generator's core, all together. */
  load: number
}

/** One run of a closed loop. */
export interface Run {
  perSecond: number
  cpuUs: number
  /** Shares of the cores; unknown where a run is too short to say. */
  busy?: Busy
  failed: number
  /** Of each process that was named besides. */
  otherCpuUs: number[]
}

/** A run, and who ran. */
export interface Runner {
  name: string
  run: () => Promise<Run>
}

/** Not all: some are on their way when the counting begins and ends. */
const MIN_DELIVERED = 0.5

let talks = 0

/**
 * Lets the crowd talk, and measures after a moment of warming up.
 * @param others processes whose time a message is wanted too
 */
export async function closedLoop (
  generator: Generator, contestant: Contestant, load: Load, effort: Effort, others: readonly number[] = []
): Promise<Run> {
  const { chat, window, crowds, per } = load
  const talk = `talk-${++talks}`
  await generator.ask('talk', { talk, chat, window })
  await delay(effort.warmUpSeconds * 1000)
  const measured = await generator.ask('measure', {
    crowds: [...new Set([chat.from, ...crowds])], pids: [contestant.pid, ...others], seconds: effort.seconds,
  })
  const unanswered = await generator.ask('hush', { talk })
  const { seconds, counts, cpuSeconds: [cpu, ...otherCpu] } = measured
  if (counts.lost > 0) throw new Error(`${contestant.name} lost ${counts.lost} connections`)
  // An ack alone is no delivery: what nobody received must not count as fast.
  if (counts.deliveries < (counts.acks - counts.failed) * MIN_DELIVERED) {
    throw new Error(`${contestant.name} delivered ${counts.deliveries} of ${counts.acks} messages`)
  }
  const done = per === 'messages' ? counts.acks : counts.deliveries
  return {
    perSecond: done / seconds,
    cpuUs: cpu / done * 1e6,
    busy: busy(measured),
    failed: counts.failed + unanswered,
    otherCpuUs: otherCpu.map(value => value / done * 1e6),
  }
}

/** The first process that was measured is the server. */
function busy ({ seconds, cpuSeconds: [server], coreSeconds }: Measured): Busy {
  return {
    server: server / seconds,
    others: Math.max(0, coreSeconds[Core.SERVER] - server) / seconds,
    load: (coreSeconds[Core.LOAD] ?? 0) / seconds,
  }
}

/** All of them in turn, round by round, so that what else the machine does falls on all alike. */
export async function interleaved (runners: readonly Runner[], rounds: number): Promise<Series[]> {
  const runs = runners.map((): Run[] => [])
  for (let round = 0; round < rounds; round++) {
    for (const [i, runner] of runners.entries()) runs[i].push(await runner.run())
  }
  return runners.map(({ name }, i) => seriesOf(name, runs[i]))
}

function seriesOf (name: string, runs: readonly Run[]): Series {
  const shares = runs.map(({ busy }) => busy).filter(busy => busy !== undefined)
  return {
    name,
    values: runs.map(({ perSecond }) => perSecond),
    cpuUs: runs.map(({ cpuUs }) => cpuUs),
    ...(shares.length > 0 && {
      serverBusy: shares.map(({ server }) => server),
      othersBusy: shares.map(({ others }) => others),
      loadBusy: shares.map(({ load }) => load),
    }),
    failed: runs.map(({ failed }) => failed),
  }
}
