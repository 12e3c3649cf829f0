/**
 * How many messages a second one node forwards to another over a real link, one recipient each, by how many are in
 * flight; and what that is beside handing them over in the same process. The peer runs in a process of its own (pinned
 * to a core where `taskset` is present). Compare the runs with each other, not with another machine's.
 *
 *   npm run bench:forward -- [--seconds 2] [--rounds 3] [--body 128]
 */
import { spawn, spawnSync } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'
import { PeerLinks } from '../lib/cluster/peer-links.js'
import { PeerServer } from '../lib/cluster/peer-server.js'
import type { PeerService } from '../lib/cluster/peers.js'
import { ThrottledLog } from '../lib/log/throttled-log.js'
import type { Member, NodeDirectory } from '../lib/node-directory/node-directory.js'
import { Delivery } from '../lib/routing/delivery.js'

const TOKEN = 'bench'
const NOBODY: ReadonlySet<string> = new Set()
const LIMITS = {
  timeoutMs: 5000, maxMessageBytes: 1024 * 1024, throttledLog: new ThrottledLog(10_000), log: console,
}

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '2' },
    rounds: { type: 'string', default: '3' },
    body: { type: 'string', default: '128' },
    peer: { type: 'boolean', default: false },
  },
})

function member (nodeId: string, endpoint: string): Member {
  return { key: `${nodeId}#1`, nodeId, incarnation: 1, endpoint, isDraining: false }
}

function directory (self: Member, other: Member): NodeDirectory {
  return Object.assign(new EventEmitter(), { self, get: () => other }) as unknown as NodeDirectory
}

/** Encodes the frame, as a peer does for its devices, and has a device for everybody. */
const service: PeerService = {
  deliver: (delivery, userIds) => ({ missing: [], moved: [], devices: delivery.frame.length > 0 ? userIds.length : 0 }),
  hold: async entries => entries.length,
  arrive: async () => {},
}

async function servePeer (): Promise<void> {
  const nodes = directory(member('b', ''), member('a', ''))
  const server = new PeerServer({ ...LIMITS, tokens: [TOKEN], directory: nodes, service, tracer: { answer: async () => { throw new Error('not asked here') } } })
  console.log(`http://127.0.0.1:${await server.listen('127.0.0.1', 0)}`)
}

let seq = 0

function delivery (): Delivery {
  return new Delivery({
    tenantId: 'acme',
    userId: 'user-100023',
    deviceId: 'web-7f3a91',
    msgId: `0195d2c4-7a1e-7c3b-${++seq}`,
    msgType: 0,
    toUserId: 'user-200046',
    groupId: '',
    msgBody: Buffer.alloc(Number(values.body), 'x'),
    timestampMs: 1_760_000_000_123n,
  }, seq)
}

interface Run {
  /** Calls a second. */
  rate: number
  /** Microseconds of this process a call, which a busy machine does not change much. */
  cpuUs: number
}

async function run (call: () => unknown, inFlight: number): Promise<Run> {
  const startedAt = performance.now()
  const cpuBefore = process.cpuUsage()
  const until = startedAt + Number(values.seconds) * 1000
  let done = 0
  await Promise.all(Array.from({ length: inFlight }, async () => {
    while (performance.now() < until) {
      await call()
      done++
    }
  }))
  const { user, system } = process.cpuUsage(cpuBefore)
  return { rate: done / (performance.now() - startedAt) * 1000, cpuUs: (user + system) / done }
}

async function measure (endpoint: string): Promise<void> {
  const peer = member('b', endpoint)
  const links = new PeerLinks(directory(member('a', ''), peer), {
    ...LIMITS, token: TOKEN, queueMaxBytes: 64 * 1024 * 1024, breakerFailureThreshold: 5, breakerOpenMs: 5000,
  })
  const forward = async (): Promise<void> => {
    const { kind } = await links.deliver(peer.key, delivery(), ['user-200046'], NOBODY)
    if (kind !== 'answered') throw new Error('the peer did not answer')
  }
  const shapes = [
    { name: 'in the same process   ', call: () => service.deliver(delivery(), ['user-200046'], NOBODY), inFlight: 1 },
    ...[1, 8, 64, 512].map(inFlight => (
      { name: `over the link, ${String(inFlight).padStart(3)} deep`, call: forward, inFlight }
    )),
  ]
  const runs = shapes.map((): Run[] => [])
  for (const { call, inFlight } of shapes) await run(call, inFlight)
  for (let round = 0; round < Number(values.rounds); round++) {
    for (const [i, { call, inFlight }] of shapes.entries()) runs[i].push(await run(call, inFlight))
  }
  for (const [i, { name }] of shapes.entries()) {
    const list = runs[i].toSorted((a, b) => a.rate - b.rate)
    const { rate, cpuUs } = list[Math.floor(list.length / 2)]
    console.log(`${name}  ${rate.toFixed(0).padStart(8)} msg/s  (${list[0].rate.toFixed(0)} to ${list[list.length - 1].rate.toFixed(0)})` +
      `  ${cpuUs.toFixed(1).padStart(6)} µs of the sender's CPU each`)
  }
  await links.close()
}

if (values.peer) {
  await servePeer()
} else {
  const pin = spawnSync('taskset', ['-V']).status === 0 ? ['taskset', '-c', '1'] : []
  const [file, ...args] = [...pin, process.execPath, '--import', 'tsx', 'bench/forward.ts', '--peer']
  const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  try {
    const [endpoint] = await once(createInterface(child.stdout), 'line') as [string]
    await measure(endpoint)
  } finally {
    child.kill('SIGKILL')
  }
}
