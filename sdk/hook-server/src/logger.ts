/** Where lines go: pino's and Fastify's loggers are such. */
export interface Logger {
  warn (fields: object, message: string): void
  error (fields: object, message: string): void
}

export const consoleLogger: Logger = {
  // The message is no format: what somebody else put into it may have a %.
  warn: (fields, message) => console.warn('%s', message, fields),
  error: (fields, message) => console.error('%s', message, fields),
}

/** Characters that would write to the terminal of who reads a log, or begin a line of their own, as `?`. */
export function withoutControls (text: string): string {
  return text.replace(/[\p{Cc}\u2028\u2029]/gu, '?')
}

/** Kinds remembered at once; beyond it the count starts anew, which costs a few lines more. */
const MAX_KINDS = 1000

/** Milliseconds in which a kind of line is written once. */
const INTERVAL_MS = 10_000

/** Writes the first line of a kind at once and then at most one in 10 seconds, with the number it stands for. */
export class ThrottledLogger {
  private readonly kinds = new Map<string, { nextAt: number, suppressed: number }>()

  constructor (private readonly logger: Logger, private readonly now: () => number = Date.now) {}

  warn (kind: string, fields: object, message: string): void {
    this.write('warn', kind, fields, message)
  }

  error (kind: string, fields: object, message: string): void {
    this.write('error', kind, fields, message)
  }

  private write (level: 'warn' | 'error', kind: string, fields: object, message: string): void {
    const now = this.now()
    const state = this.kinds.get(kind)
    if (state !== undefined && now < state.nextAt) {
      state.suppressed++
      return
    }
    if (this.kinds.size >= MAX_KINDS) this.kinds.clear()
    this.kinds.set(kind, { nextAt: now + INTERVAL_MS, suppressed: 0 })
    const suppressed = state?.suppressed ?? 0
    this.logger[level](suppressed === 0 ? fields : { ...fields, suppressed }, message)
  }
}
