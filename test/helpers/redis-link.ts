import { Cluster, type Redis } from 'ioredis'
import type { Test } from 'tap'
import { RedisLink, type RedisLinkOptions } from '../../lib/redis/redis-link.js'

/** A link that is up, and closed when the test ends. Patient, unless told otherwise. */
export async function connectLink (
  t: Test, url: string, options: Partial<RedisLinkOptions> = {}
): Promise<RedisLink> {
  const link = new RedisLink({ url, timeoutMs: 10_000, probeIntervalMs: 100, ...options })
  t.teardown(async () => await link.close())
  await link.connect(20_000)
  return link
}

/** What a link says from now on, in order. */
export function eventsOf (link: RedisLink): string[] {
  const events: string[] = []
  for (const name of ['up', 'down', 'restarted'] as const) link.on(name, () => events.push(name))
  return events
}

/** Runs commands on each master that the link leads to. */
export async function onEachMaster<T> (link: RedisLink, commands: (master: Redis) => Promise<T>): Promise<T[]> {
  return await link.run('test', async redis =>
    await Promise.all((redis instanceof Cluster ? redis.nodes('master') : [redis]).map(commands)))
}
