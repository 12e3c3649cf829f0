import { setTimeout as delay } from 'node:timers/promises'
import type { Latency } from '../generator/orders.js'
import { asTenant } from '../stage.js'
import { connectPairs } from './pairs.js'
import type { Shape } from './shape.js'

/** Messages a second of the tenant that is looked at. */
const CALM_RATE = 500
/** The limit of the one that floods, and what it sends. */
const LIMIT = 2000
const FLOOD_RATE = 2400
/** Messages in flight of each client whose hook hangs. */
const HANGING_WINDOW = 8
const BODY_BYTES = 128

export const isolation: Shape = {
  name: 'isolation',
  title: 'a tenant beside one that floods and one whose hook hangs',
  run: async (stage, effort) => {
    const gateway = await stage.gateway({ tenants: { calm: 'unchecked', flooding: `at-most-${LIMIT}`, hanging: 'hanging' } })
    const generator = await stage.generator()
    const [calm, flooding, hanging] = await Promise.all(['calm', 'flooding', 'hanging'].map(async tenantId => (
      (await connectPairs(generator, asTenant(gateway, tenantId, tenantId))).load(HANGING_WINDOW, BODY_BYTES)
    )))
    const seconds = effort.isShort ? effort.seconds : Math.max(effort.seconds, 5)
    const look = async (): Promise<Latency> => (
      await generator.ask('steadyRate', { chat: calm.chat, perSecond: CALM_RATE, seconds })
    )
    const alone: Latency[] = []
    const beside: Latency[] = []
    await look()
    for (let round = 0; round < effort.rounds; round++) {
      alone.push(await look())
      const talk = `hanging-${round}`
      await generator.ask('talk', { talk, chat: hanging.chat, window: HANGING_WINDOW })
      const flood = generator.ask('steadyRate', {
        chat: flooding.chat, perSecond: FLOOD_RATE, seconds: seconds + 2 * effort.warmUpSeconds,
      })
      await delay(effort.warmUpSeconds * 1000)
      beside.push(await look())
      await flood
      await generator.ask('hush', { talk })
    }
    return {
      results: [{
        shape: 'isolation',
        name: `ack p99 at ${CALM_RATE} messages/s`,
        unit: 'ms',
        subject: { name: 'beside both', values: beside.map(({ p99 }) => p99) },
        base: { name: 'alone', values: alone.map(({ p99 }) => p99) },
        target: { of: 'ratio', atMost: 1.3 },
        note: `one sends ${FLOOD_RATE} messages/s with a limit of ${LIMIT}, of the other no check is answered`,
      }],
    }
  },
}
