import { createHash } from 'node:crypto'
import type { RedisClient } from './redis-client.js'
import { meansUnknownScript } from './redis-errors.js'

/** A Lua script. Only its hash travels, except where a Redis does not know it yet. */
export class Script {
  private readonly hash: string

  constructor (private readonly source: string) {
    this.hash = createHash('sha1').update(source).digest('hex')
  }

  /**
   * Runs it, in one write with the other commands of this turn of the event loop. Returns what the script returns:
   * numbers, strings, null, or arrays of these.
   * @param keys one at least; all of one slot, which is where a Redis Cluster runs it
   */
  async run (
    redis: RedisClient, keys: readonly [string, ...string[]], args: ReadonlyArray<string | number | Buffer> = []
  ): Promise<unknown> {
    try {
      return await redis.evalsha(this.hash, keys.length, ...keys, ...args)
    } catch (error) {
      if (!meansUnknownScript(error)) throw error
      return await redis.eval(this.source, keys.length, ...keys, ...args)
    }
  }
}
