import type { Result, Target } from '../report/result.js'
import { asTenant } from '../stage.js'
import { closedLoop, interleaved } from './closed-loop.js'
import { connectPairs } from './pairs.js'
import type { Shape } from './shape.js'

const BODY_BYTES = 128

const TENANTS = {
  unchecked: 'MICS, hooks off',
  checked: 'MICS, a call each',
  batched: 'MICS, batched',
  'batched-2ms': 'MICS, batched, 2 ms',
}

const TARGETS: Record<string, Target> = {
  'checked 1': { of: 'ratio', atLeast: 0.8 },
  'batched 8': { of: 'ratio', atLeast: 1.5 },
}

export const hooks: Shape = {
  name: 'hooks',
  title: 'messages between pairs, each checked by a hook of the tenant',
  run: async (stage, effort) => {
    const gateway = await stage.gateway({ tenants: Object.fromEntries(Object.keys(TENANTS).map(name => [name, name])) })
    const socketIo = await stage.socketIo()
    const [ourGenerator, theirGenerator] = [await stage.generator(), await stage.generator()]
    const sides = []
    for (const [tenantId, name] of Object.entries(TENANTS)) {
      const contestant = asTenant(gateway, tenantId, name)
      sides.push({ tenantId, contestant, generator: ourGenerator, pairs: await connectPairs(ourGenerator, contestant) })
    }
    sides.push({
      tenantId: '', contestant: socketIo, generator: theirGenerator, pairs: await connectPairs(theirGenerator, socketIo),
    })
    const results: Result[] = []
    for (const window of [1, 8]) {
      const series = await interleaved(sides.map(({ contestant, generator, pairs }) => ({
        name: contestant.name,
        run: async () => await closedLoop(generator, contestant, pairs.load(window, BODY_BYTES), effort),
      })), effort.rounds)
      const base = series[series.length - 1]
      const lines = Object.keys(TENANTS).map((tenantId, i) => ({ tenantId, subject: series[i] }))
      results.push(...lines.map(({ tenantId, subject }): Result => ({
        shape: 'hooks',
        name: `pairs, ${window} in flight: ${TENANTS[tenantId as keyof typeof TENANTS].replace('MICS, ', '')}`,
        unit: 'messages/s',
        subject,
        base,
        target: TARGETS[`${tenantId} ${window}`],
      })))
    }
    return { results }
  },
}
