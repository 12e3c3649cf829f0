import { EventEmitter } from 'node:events'
import type { Cluster, Redis } from 'ioredis'

/** A single Redis, one behind Sentinel, or a Redis Cluster: commands are the same. */
export type RedisClient = Redis | Cluster

export interface RedisLinkEvents {
  /** Redis answers again. */
  up: []
  /** Redis does not answer. */
  down: []
  /** A Redis process was replaced or restarted, so that what was in it may be gone. */
  restarted: []
}

/** Redis does not answer now. Nothing was sent, or nobody knows whether it took effect. */
export class RedisUnavailableError extends Error {
  readonly code = 'MICS_REDIS_UNAVAILABLE'

  constructor (operation: string, options?: ErrorOptions) {
    super(`Redis is not available for ${operation}: check that it runs and that REDIS_URL is right`, options)
    this.name = 'RedisUnavailableError'
  }
}

/**
 * The connection to Redis and whether it works. While it does not, calls fail at once instead of each waiting for its
 * own timeout, and a probe looks for its return.
 */
export declare class RedisLink extends EventEmitter<RedisLinkEvents> {
  /** Whether calls are worth making. */
  readonly isUp: boolean
  /** When it went down, milliseconds of `performance.now()`; undefined while it is up. */
  readonly downSince: number | undefined
  /** Calls that failed, by operation. */
  readonly failures: ReadonlyMap<string, number>

  /**
   * Runs commands. Commands of one turn of the event loop share a write.
   * @throws {RedisUnavailableError} at once where the link is down, or when Redis did not answer in time. An error that
   *   Redis itself answered with is passed on as it is.
   */
  run<T> (operation: string, commands: (redis: RedisClient) => Promise<T>): Promise<T>

  /** Connects; resolves when Redis has answered. Rejects, after some attempts, with what to do about it. */
  connect (): Promise<void>

  close (): Promise<void>
}
