import { setTimeout as delay } from 'node:timers/promises'
import type { Generator } from '../generator/generator.js'
import { openFilesLimit, residentBytes } from '../process-usage.js'
import type { Result, Series } from '../report/result.js'
import type { Contestant } from '../stage.js'
import type { Effort, Shape } from './shape.js'

/** So that what a server needs once is not counted as the connections': code is compiled, the heap has grown. */
const FIRST = 1000

/** Connections that a process has open beside those of clients. */
const OTHER_FILES = 300

const KB = 1000

interface Rest {
  connections: number
  /** Kilobytes (1,000 bytes) of RSS a connection, beyond the first ones. */
  kilobytesEach: number
  /** Share of a core. */
  cpu: number
}

/** At most so many connections fit into one process here; undefined: as many as asked for. */
export function connectionsLimit (wanted: number): number | undefined {
  const limit = openFilesLimit() - OTHER_FILES
  return limit < wanted ? Math.floor(limit / 100) * 100 : undefined
}

/** Connects up to each of these numbers of clients in turn, and looks at the server while they are silent. */
export async function rest (
  generator: Generator, { name, place, pid }: Contestant, counts: readonly number[], effort: Effort, first = FIRST
): Promise<Rest[]> {
  const crowd = 'idle-'
  await generator.ask('open', { crowd, place, users: crowd, count: first })
  await delay(effort.seconds * 1000)
  const before = residentBytes(pid)
  const found: Rest[] = []
  let connected = first
  for (const connections of counts) {
    await generator.ask('open', { crowd, place, users: crowd, count: connections - connected })
    connected = connections
    // Heartbeats of all of them, and garbage that connecting left, within a window of the heartbeats.
    await delay(effort.warmUpSeconds * 3000)
    const { counts: { lost }, cpuSeconds: [cpu], seconds } = await generator.ask('measure', {
      crowds: [crowd], pids: [pid], seconds: effort.seconds,
    })
    if (lost > 0) throw new Error(`${name} lost ${lost} of ${connections} idle connections`)
    const kilobytesEach = (residentBytes(pid) - before) / (connections - first) / KB
    found.push({ connections, kilobytesEach, cpu: cpu / seconds })
  }
  // The next server is measured without these.
  await generator.ask('close', { crowd })
  return found
}

export const idle: Shape = {
  name: 'idle',
  title: 'memory of connections that say nothing but heartbeats',
  run: async (stage, effort) => {
    const [few, many] = effort.isShort ? [200, 400] : [10_000, 50_000]
    const limit = connectionsLimit(many)
    const counts = [...new Set([few, many].map(count => Math.min(count, limit ?? count)))]
    const rests: Rest[][] = []
    for (const start of [async () => await stage.gateway(), async () => await stage.socketIo()]) {
      rests.push(await rest(await stage.generator(), await start(), counts, effort, effort.isShort ? 100 : FIRST))
    }
    const results = counts.flatMap((connections, i): Result[] => {
      const [subject, base] = ['MICS', 'Socket.IO'].map((name, n): Series => (
        { name, values: [rests[n][i].kilobytesEach] }
      ))
      const [ours, theirs] = rests.map(found => (found[i].cpu * 100).toFixed(0))
      return [{
        shape: 'idle',
        name: `an idle connection, of ${connections.toLocaleString('en')}`,
        unit: 'KB of RSS',
        subject,
        base,
        target: i === counts.length - 1 ? { of: 'value', atMost: 10 } : undefined,
        note: `heartbeats take ${ours} % of the core, Socket.IO's ${theirs} %`,
      }]
    })
    const skipped = limit === undefined
      ? []
      : [{ shape: 'idle', reason: `${many.toLocaleString('en')} connections: a process may have ${openFilesLimit().toLocaleString('en')} open files here (ulimit -Hn), so it was ${limit.toLocaleString('en')}` }]
    return { results, skipped }
  },
}
