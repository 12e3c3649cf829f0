import type { LogLine, ThrottledLog } from '../log/throttled-log.js'
import { RedisUnavailableError } from './redis-errors.js'

/**
 * What to do with the failures of calls to Redis that are counted and got over: a line now and then. None where Redis
 * does not answer at all, which has one line of its own.
 */
export function logFailures (warn: LogLine, throttledLog: ThrottledLog, purpose: string): (error: unknown) => void {
  return err => {
    if (err instanceof RedisUnavailableError) return
    throttledLog.log(purpose, warn, { err }, `Redis failed for ${purpose}`)
  }
}
