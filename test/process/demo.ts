import { Redis } from 'ioredis'
import type { Test } from 'tap'
import { MicsProcess } from './mics-process.js'

/** `mics dev --nodes`, up. */
export interface Demo {
  mics: MicsProcess
  nodes: { nodeId: string, url: string, pid: number }[]
  redis: string
}

/** Resolves when all nodes listen. */
export async function startDemo (t: Test, count: number, env: NodeJS.ProcessEnv = {}): Promise<Demo> {
  const mics = MicsProcess.start(t, ['dev', '--nodes', String(count)], env)
  await mics.prints(/press Ctrl-C/)
  const nodes = [...mics.stdout.matchAll(/(node-\d) +(http:\S+) +pid (\d+)/g)]
    .map(([, nodeId, url, pid]) => ({ nodeId, url, pid: Number(pid) }))
  const [, redis] = await mics.prints(/Redis: (.*)/)
  return { mics, nodes, redis }
}

/** Whether a Redis is there. */
export async function answersPing (url: string): Promise<boolean> {
  const client = new Redis(url, { retryStrategy: () => null, maxRetriesPerRequest: 0 })
  client.on('error', () => {}) // ping rejects with it
  const answered = await client.ping().then(() => true, () => false)
  client.disconnect()
  return answered
}
