import type { FastifyBaseLogger } from 'fastify'

/** Milliseconds for the log to be written when the process ends. */
const LOG_FLUSH_MS = 500

/** Ends the process when `close` is done: with exit code 0, or 1 where it failed. */
export function exitAfter (close: () => Promise<void>, log: FastifyBaseLogger): void {
  close().then(() => exit(log, 0), err => {
    log.error({ err }, 'stopping failed')
    exit(log, 1)
  })
}

/** Exits when the log is written: left to the exit itself, the last lines come out in the wrong order or not at all. */
export function exit (log: FastifyBaseLogger, code: number): void {
  const { flush } = log as { flush?: (done: () => void) => void }
  if (flush === undefined) process.exit(code)
  setTimeout(() => process.exit(code), LOG_FLUSH_MS)
  flush.call(log, () => process.exit(code))
}
