import { Cluster, type Redis } from 'ioredis'
import type { RedisClient } from './redis-client.js'

/** What a master says of itself. */
export interface MasterState {
  /** Another one after every start of the process. */
  runId: string
  /** Whether it serves commands; a node of a Redis Cluster does not while the cluster is down. */
  isServing: boolean
}

/** Behind Sentinel the master may move, and is the master all the same. */
const ONLY = 'master'

/** The masters there are connections to, by name: the address, in a Redis Cluster. */
export function connectedMasters (client: RedisClient): Array<[name: string, master: Redis]> {
  if (!(client instanceof Cluster)) return [[ONLY, client]]
  return client.nodes('master').map(master => [masterName(client, master), master])
}

export function masterName (client: RedisClient, { options }: Redis): string {
  return client instanceof Cluster ? `${options.host}:${options.port}` : ONLY
}

/** The names of all masters, those included that are away for now. */
export function allMasters (client: RedisClient): Set<string> {
  if (!(client instanceof Cluster)) return new Set([ONLY])
  const names = new Set<string>()
  let last: string | undefined
  // 16,384 slots, served in runs.
  for (const nodes of client.slots) {
    const name = nodes?.[0]
    if (name !== undefined && name !== last) names.add(last = name)
  }
  return names
}

/** Rejects where it does not answer, or may not be asked. */
export async function askMaster (client: RedisClient, master: Redis): Promise<MasterState> {
  const [server, cluster] = await Promise.all([
    master.info('server'),
    client instanceof Cluster ? master.cluster('INFO') : '',
  ])
  const runId = /^run_id:(\w+)/m.exec(server)?.[1]
  if (runId === undefined) throw new Error('INFO server tells no run_id: this is no Redis that can be worked with')
  return { runId, isServing: !/^cluster_state:fail/m.test(String(cluster)) }
}
