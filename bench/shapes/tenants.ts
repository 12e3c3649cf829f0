import type { Result } from '../report/result.js'
import { asTenant } from '../stage.js'
import { closedLoop, interleaved } from './closed-loop.js'
import { connectPairs } from './pairs.js'
import type { Shape } from './shape.js'

const BODY_BYTES = 128
const WINDOW = 8
/** Messages a second of all; so many pairs that each tenant has one. */
const PAIRS = 100

export const tenants: Shape = {
  name: 'tenants',
  title: '100 tenants beside one with as many users',
  run: async (stage, effort) => {
    const count = effort.isShort ? 10 : PAIRS
    const names = Array.from({ length: count }, (_, i) => `tenant-${i}`)
    const gateway = await stage.gateway({ tenants: Object.fromEntries(names.map(name => [name, 'unchecked'])) })
    const generator = await stage.generator()
    const all = await connectPairs(generator, gateway, { count })
    // A pair of each tenant, in two crowds like any others.
    const from = 'tenants-from-'
    const to = 'tenants-to-'
    for (const name of names) {
      const { place } = asTenant(gateway, name, 'MICS')
      await generator.ask('open', { crowd: to, place, users: to, count: 1 })
      await generator.ask('open', { crowd: from, place, users: from, count: 1 })
    }
    const load = all.load(WINDOW, BODY_BYTES)
    const [one, many] = await interleaved([
      { name: 'one tenant', run: async () => await closedLoop(generator, gateway, load, effort) },
      {
        name: `${count} tenants`,
        run: async () => await closedLoop(generator, gateway, {
          ...load, chat: { ...load.chat, from, toUsers: to }, crowds: [to],
        }, effort),
      },
    ], effort.rounds)
    const result: Result = {
      shape: 'tenants',
      name: `${count} pairs of as many tenants, ${WINDOW} in flight`,
      unit: 'messages/s',
      subject: many,
      base: one,
    }
    return { results: [result] }
  },
}
