import { closedLoop, interleaved } from './closed-loop.js'
import { connectPairs } from './pairs.js'
import type { Shape } from './shape.js'

const LOADS = [
  { window: 1, bodyBytes: 128 },
  { window: 8, bodyBytes: 128, target: { of: 'ratio', atLeast: 2.5 } },
  { window: 1, bodyBytes: 1024 },
  { window: 8, bodyBytes: 1024 },
] as const

export const pair: Shape = {
  name: 'pair',
  title: 'messages between pairs of users, hooks off',
  run: async (stage, effort) => {
    const contestants = [await stage.gateway(), await stage.socketIo()]
    const sides = await Promise.all(contestants.map(async contestant => {
      const generator = await stage.generator()
      return { contestant, generator, pairs: await connectPairs(generator, contestant) }
    }))
    const results = []
    for (const load of LOADS) {
      const { window, bodyBytes } = load
      const [subject, base] = await interleaved(sides.map(({ contestant, generator, pairs }) => ({
        name: contestant.name,
        run: async () => await closedLoop(generator, contestant, pairs.load(window, bodyBytes), effort),
      })), effort.rounds)
      results.push({
        shape: 'pair',
        name: `pairs, ${window} in flight, ${bodyBytes} B`,
        unit: 'messages/s',
        subject,
        base,
        target: 'target' in load ? load.target : undefined,
      })
    }
    return { results }
  },
}
