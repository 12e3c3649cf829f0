import type { Generator } from '../generator/generator.js'
import { cpuSeconds } from '../process-usage.js'
import type { Contestant } from '../stage.js'
import { interleaved, type Run } from './closed-loop.js'
import { quiet } from './quiet.js'
import type { Shape } from './shape.js'

/** Opened and closed before it counts. */
const WARM_UP = 300

export const connects: Shape = {
  name: 'connects',
  title: 'connections a second',
  run: async (stage, effort) => {
    const count = effort.isShort ? 200 : 3000
    const contestants = [await stage.gateway(), await stage.socketIo()]
    const runners = await Promise.all(contestants.map(async contestant => {
      const generator = await stage.generator()
      await connect(generator, contestant, effort.isShort ? 50 : WARM_UP)
      return { name: contestant.name, run: async () => await connect(generator, contestant, count) }
    }))
    const [subject, base] = await interleaved(runners, effort.rounds)
    return {
      results: [{
        shape: 'connects',
        name: `${count.toLocaleString('en')} connections, 64 at once`,
        unit: 'connections/s',
        subject,
        base,
        note: 'each asks the auth hook, over HTTP; Socket.IO looks at the token itself',
      }],
    }
  },
}

async function connect (generator: Generator, { pid, place }: Contestant, count: number): Promise<Run> {
  const before = cpuSeconds(pid)
  const seconds = await generator.ask('open', { crowd: 'connects-', place, users: 'connects-', count })
  const cpu = cpuSeconds(pid) - before
  await generator.ask('close', { crowd: 'connects-' })
  await quiet(pid)
  return { perSecond: count / seconds, cpuUs: cpu / count * 1e6, failed: 0, otherCpuUs: [] }
}
