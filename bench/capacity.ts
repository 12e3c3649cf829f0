/**
 * What a gateway needs: memory and processor time of a connection, and processor time of a message, with the check hook
 * and without, and to groups. The gateway says itself what it used, on /metrics, so that a busy machine changes the
 * figures less than it changes messages a second. Gateway and hook server run in processes of their own (pinned to a
 * core where `taskset` is present); the load is made here.
 *
 *   npm run bench:capacity -- [--connections 5000] [--pairs 20] [--seconds 4]
 */
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { Client } from './client.js'
import { Processes } from './processes.js'
import { talkingPairs } from './talking-pairs.js'

const { values } = parseArgs({
  options: {
    connections: { type: 'string', default: '5000' },
    pairs: { type: 'string', default: '20' },
    seconds: { type: 'string', default: '4' },
  },
})
const seconds = Number(values.seconds)

const BODY = Buffer.alloc(128, 'x')
const WARM_UP_MS = 1000
/** Connections that are opened at once. */
const BATCH = 16

const processes = new Processes()

interface Use {
  cpuSeconds: number
  residentBytes: number
  connections: number
}

interface Counts {
  acks: number
  deliveries: number
}

async function use (url: string): Promise<Use> {
  const text = await (await fetch(`${url}/metrics`)).text()
  const sum = (name: string): number => [...text.matchAll(new RegExp(`^${name}(?:\\{.*\\})? (\\S+)$`, 'gm'))]
    .reduce((total, [, value]) => total + Number(value), 0)
  return {
    cpuSeconds: sum('process_cpu_seconds_total'),
    residentBytes: sum('process_resident_memory_bytes'),
    connections: sum('mics_connections'),
  }
}

async function connections (url: string, count: number): Promise<void> {
  const before = await use(url)
  const clients: Client[] = []
  while (clients.length < count) {
    const batch = Array.from({ length: Math.min(BATCH, count - clients.length) },
      (_, i) => Client.connect(url, 'unchecked', `idle-${clients.length + i}`))
    clients.push(...await Promise.all(batch))
  }
  const connected = await use(url)
  await delay(seconds * 1000)
  const rested = await use(url)
  const each = (rested.residentBytes - before.residentBytes) / count / 1024
  const connecting = (connected.cpuSeconds - before.cpuSeconds) / count * 1e6
  const idling = (rested.cpuSeconds - connected.cpuSeconds) / seconds * 100
  console.log(`${count} connections: ${each.toFixed(1)} KiB each, ${connecting.toFixed(0)} µs of processor time to connect, ` +
    `then ${idling.toFixed(1)} % of a core for all; the empty gateway had ${(before.residentBytes / 1024 ** 2).toFixed(0)} MiB`)
  await end(url, clients)
}

async function end (url: string, clients: Client[]): Promise<void> {
  for (const { ws } of clients) ws.terminate()
  while ((await use(url)).connections > 0) await delay(50)
}

/** Prints processor time by message acked, and by delivery where there are several of one message. */
async function load (url: string, name: string, start: (counts: Counts) => Promise<Client[]>): Promise<void> {
  const counts = { acks: 0, deliveries: 0 }
  const clients = await start(counts)
  await delay(WARM_UP_MS)
  const before = { ...await use(url), ...counts, at: performance.now() }
  await delay(seconds * 1000)
  const cpu = (await use(url)).cpuSeconds - before.cpuSeconds
  const sent = counts.acks - before.acks
  const delivered = counts.deliveries - before.deliveries
  const took = (performance.now() - before.at) / 1000
  console.log(`${name}: ${(cpu / sent * 1e6).toFixed(0)} µs a message, ${(cpu / delivered * 1e6).toFixed(1)} µs a delivery, ` +
    `at ${(sent / took).toFixed(0)} msg/s and ${(cpu / took * 100).toFixed(0)} % of a core`)
  await end(url, clients)
}

async function pairs (url: string, tenantId: string, window: number): Promise<void> {
  await load(url, `pairs, ${tenantId}, ${window} in flight each`, async counts => {
    return await talkingPairs(url, tenantId, {
      pairs: Number(values.pairs),
      window,
      onDelivery: () => { counts.deliveries++ },
      onAck: () => { counts.acks++ },
    })
  })
}

async function group (url: string, members: number): Promise<void> {
  await load(url, `group of ${members}, all online`, async counts => {
    const all = await Promise.all(Array.from({ length: members },
      async (_, i) => await Client.connect(url, 'unchecked', `${members}-${i}`)))
    for (const client of all) client.onDelivery = () => { counts.deliveries++ }
    const [from] = all
    let sent = 0
    const send = (): void => from.sendToGroup(String(members), String(++sent), BODY)
    from.onAck = () => {
      counts.acks++
      send()
    }
    send()
    return all
  })
}

try {
  const hooks = await processes.start(1, 'bench/trivial-hooks.ts')
  const gateway = await processes.start(0, 'bench/gateway.ts', {
    TENANT_AUTH_MAP: JSON.stringify({ checked: `${hooks}/checked`, unchecked: `${hooks}/unchecked` }),
    PORT: '0',
    HOST: '127.0.0.1',
    LOG_LEVEL: 'silent',
    HANDSHAKE_MAX_PER_SECOND: '100000',
    HOOK_QUEUE_TIMEOUT_MS: '1000',
  })
  // Once more: by now the code is compiled, and the heap has its size.
  for (let time = 0; time < 2; time++) await connections(gateway, Number(values.connections))
  for (const tenant of ['unchecked', 'checked']) for (const window of [1, 8]) await pairs(gateway, tenant, window)
  for (const members of [10, 100, 500]) await group(gateway, members)
} finally {
  processes.close()
}
