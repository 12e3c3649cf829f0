/** Where a line goes: a pino level method, or what stands in for it. */
export type LogLine = (fields: object, message: string) => void

/** Kinds remembered at once; beyond it the count starts anew, which costs a few lines more. */
const MAX_KINDS = 10_000

/**
 * Logs the first event of a kind at once and then at most one line an interval, with the number it stands for, so that
 * a failing hook under load is a line every few seconds and not a flood.
 */
export class ThrottledLog {
  private readonly kinds = new Map<string, { nextAt: number, suppressed: number }>()

  constructor (private readonly intervalMs: number, private readonly now: () => number = Date.now) {}

  log (kind: string, line: LogLine, fields: object, message: string): void {
    const now = this.now()
    const state = this.kinds.get(kind)
    if (state !== undefined && now < state.nextAt) {
      state.suppressed++
      return
    }
    if (this.kinds.size >= MAX_KINDS) this.kinds.clear()
    this.kinds.set(kind, { nextAt: now + this.intervalMs, suppressed: 0 })
    line(state === undefined || state.suppressed === 0 ? fields : { ...fields, suppressed: state.suppressed }, message)
  }
}
