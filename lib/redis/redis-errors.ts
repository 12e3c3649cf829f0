/** Redis does not answer now. Nothing was sent, or nobody knows whether it took effect. */
export class RedisUnavailableError extends Error {
  readonly code = 'MICS_REDIS_UNAVAILABLE'

  constructor (operation: string, options?: ErrorOptions) {
    super(`Redis is not available for ${operation}: check that it runs and that REDIS_URL is right`, options)
    this.name = 'RedisUnavailableError'
  }
}

/** Redis could not be reached at the start. */
export class RedisUnreachableError extends Error {
  readonly code = 'MICS_REDIS_UNREACHABLE'

  /** @param place where it was looked for, without credentials */
  constructor (place: string, cause: unknown) {
    const why = cause instanceof Error ? cause.message : 'it does not answer'
    super(`REDIS_URL: no Redis to work with at ${place}: ${why}; check that it runs, that the address, user and password are right, and that nothing is between`, { cause })
    this.name = 'RedisUnreachableError'
  }
}

/**
 * What Redis answers with where it cannot serve for now: a part of a Redis Cluster is missing or moves, a master has
 * become a replica, it is reading its data from disk, or a script keeps it busy. Within a script READONLY comes later.
 */
const transient = /^(CLUSTERDOWN|MOVED|ASK|TRYAGAIN|MASTERDOWN|READONLY|LOADING|BUSY)\b|-READONLY\b/

/** Whether an error of ioredis means that Redis is not available, rather than that a command was wrong. */
export function meansUnavailable (error: unknown): boolean {
  if (!(error instanceof Error)) return false
  if (isReply(error)) return transient.test(error.message)
  // ioredis tells of lost connections by plain errors. These, in contrast, are faults of whoever called.
  return !(error instanceof TypeError || error instanceof RangeError || error instanceof SyntaxError)
}

/** Whether Redis does not know the hash of a script. */
export function meansUnknownScript (error: unknown): boolean {
  return error instanceof Error && isReply(error) && error.message.startsWith('NOSCRIPT')
}

/** The error without the command that ioredis attaches to it: its arguments may be the password. */
export function withoutCommand (error: unknown): unknown {
  if (error instanceof Error) Reflect.deleteProperty(error, 'command')
  return error
}

/** Whether Redis itself answered with it. */
function isReply ({ name }: Error): boolean {
  return name === 'ReplyError'
}
