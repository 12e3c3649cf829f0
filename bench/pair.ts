/**
 * How many one-to-one messages a second the gateway carries, with the check hook off and on, each with 1 and with 8
 * messages in flight a pair. Gateway and hook server run in processes of their own (pinned to a core where `taskset` is
 * present); the load is made here. Runs are interleaved and reported with their spread: compare them with each other,
 * not with another machine's.
 *
 *   npm run bench -- [--pairs 20] [--seconds 3] [--rounds 3]
 */
import { parseArgs } from 'node:util'
import { Processes } from './processes.js'
import { median } from './quantile.js'
import { talkingPairs } from './talking-pairs.js'

const { values } = parseArgs({
  options: {
    pairs: { type: 'string', default: '20' },
    seconds: { type: 'string', default: '3' },
    rounds: { type: 'string', default: '3' },
  },
})
const pairs = Number(values.pairs)
const seconds = Number(values.seconds)
const rounds = Number(values.rounds)

const processes = new Processes()

/** Messages a second over all pairs, counted at delivery. */
async function run (url: string, tenantId: string, window: number): Promise<number> {
  let delivered = 0
  const clients = await talkingPairs(url, tenantId, { pairs, window, onDelivery: () => { delivered++ } })
  await new Promise(resolve => setTimeout(resolve, 500))
  const before = delivered
  const startedAt = performance.now()
  await new Promise(resolve => setTimeout(resolve, seconds * 1000))
  const rate = (delivered - before) / (performance.now() - startedAt) * 1000
  for (const { ws } of clients) ws.terminate()
  return rate
}

try {
  const hooks = await processes.start(1, 'bench/trivial-hooks.ts')
  const gateway = await processes.start(0, 'bench/gateway.ts', {
    TENANT_AUTH_MAP: JSON.stringify({ checked: `${hooks}/checked`, unchecked: `${hooks}/unchecked` }),
    PORT: '0',
    HOST: '127.0.0.1',
    LOG_LEVEL: 'silent',
  })
  const shapes = [
    { name: 'hook off, 1 in flight', tenant: 'unchecked', window: 1 },
    { name: 'hook off, 8 in flight', tenant: 'unchecked', window: 8 },
    { name: 'hook on,  1 in flight', tenant: 'checked', window: 1 },
    { name: 'hook on,  8 in flight', tenant: 'checked', window: 8 },
  ]
  const rates = shapes.map((): number[] => [])
  for (let round = 0; round < rounds; round++) {
    for (const [i, { tenant, window }] of shapes.entries()) rates[i].push(await run(gateway, tenant, window))
  }
  const base = median(rates[0])
  for (const [i, { name }] of shapes.entries()) {
    const list = rates[i]
    console.log(`${name}  ${median(list).toFixed(0).padStart(7)} msg/s  (${Math.min(...list).toFixed(0)} to ${Math.max(...list).toFixed(0)})` +
      `  ${(median(list) / base).toFixed(2)} of the first`)
  }
} finally {
  processes.close()
}
