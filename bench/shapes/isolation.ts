import { setTimeout as delay } from 'node:timers/promises'
import { asTenant } from '../stage.js'
import { connectPairs } from './pairs.js'
import type { Shape } from './shape.js'
import { steadySeconds } from './steady-seconds.js'

/** Messages a second of the tenant that is looked at. */
const CALM_RATE = 500
/** The limit of the one that floods, and what it sends. */
const LIMIT = 2000
const FLOOD_RATE = 2400
/** Messages a second of the one whose hook hangs. Its breaker opens, and its messages pass unchecked from then on. */
const HANGING_RATE = 500
/** Of a round. */
const SECONDS = 5
const BODY_BYTES = 128

export const isolation: Shape = {
  name: 'isolation',
  title: 'a tenant beside one that floods and one whose hook hangs',
  run: async (stage, effort) => {
    const gateway = await stage.gateway({ tenants: { calm: 'unchecked', flooding: `at-most-${LIMIT}`, hanging: 'hanging' } })
    const generator = await stage.generator()
    const [calm, flooding, hanging] = await Promise.all(['calm', 'flooding', 'hanging'].map(async tenantId => (
      (await connectPairs(generator, asTenant(gateway, tenantId, tenantId))).load(1, BODY_BYTES)
    )))
    const seconds = effort.isShort ? 1 : SECONDS
    const look = async (): Promise<number[]> => {
      const found = await steadySeconds(generator, { chat: calm.chat, perSecond: CALM_RATE }, seconds)
      return found.map(({ p99 }) => p99)
    }
    const alone: number[] = []
    const beside: number[] = []
    await look()
    for (let round = 0; round < effort.rounds; round++) {
      alone.push(...await look())
      const others = [{ chat: flooding.chat, perSecond: FLOOD_RATE }, { chat: hanging.chat, perSecond: HANGING_RATE }]
        .map(load => generator.ask('steadyRate', {
          ...load, seconds: seconds * 1.2 + effort.warmUpSeconds,
        }))
      await delay(effort.warmUpSeconds * 1000)
      beside.push(...await look())
      await Promise.all(others)
    }
    return {
      results: [{
        shape: 'isolation',
        name: `ack p99 of a second, at ${CALM_RATE} messages/s`,
        unit: 'ms',
        subject: { name: 'beside both', values: beside },
        base: { name: 'alone', values: alone },
        target: { of: 'ratio', atMost: 1.3 },
        note: `one sends ${FLOOD_RATE} messages/s with a limit of ${LIMIT}, the other ${HANGING_RATE} of which no check is answered`,
      }],
    }
  },
}
