import { flushConnections } from './load-connection.js'

export interface PacerOptions {
  /** How often a second. */
  rate: number
  /** How often in all; default: until it is stopped. */
  limit?: number
  /** Looks at the clock all the time instead of each millisecond. */
  spin?: boolean
  /** `dueMs`: when it was to be, by performance.now(). False: there is nothing left to do. */
  onDue: (dueMs: number) => boolean
}

/** Of one turn; the rest follows at once, after what has come meanwhile. */
const MAX_AT_ONCE = 1000

/** Does something so many times a second. What it is late with it makes up for: nothing of the schedule is left out. */
export class Pacer {
  /** Resolves when it has done all, or is stopped. */
  readonly ended: Promise<void>
  #end!: () => void
  #timer?: NodeJS.Timeout
  #immediate?: NodeJS.Immediate
  #isOver = false
  #done = 0
  readonly #startedAt = performance.now()

  constructor (private readonly options: PacerOptions) {
    this.ended = new Promise(resolve => { this.#end = resolve })
    this.#run()
  }

  stop (): void {
    this.#isOver = true
    clearTimeout(this.#timer)
    clearImmediate(this.#immediate)
    this.#end()
  }

  #run (): void {
    const { rate, limit = Infinity, spin = false, onDue } = this.options
    const now = performance.now()
    const due = Math.min(limit, Math.floor((now - this.#startedAt) * rate / 1000) + 1, this.#done + MAX_AT_ONCE)
    while (this.#done < due && !this.#isOver) {
      if (!onDue(this.#startedAt + this.#done * 1000 / rate)) {
        this.stop()
        break
      }
      this.#done++
    }
    flushConnections()
    if (this.#isOver) return
    if (this.#done >= limit) {
      this.stop()
      return
    }
    const waitMs = this.#startedAt + this.#done * 1000 / rate - performance.now()
    if (spin || waitMs <= 0) this.#immediate = setImmediate(() => this.#run())
    else this.#timer = setTimeout(() => this.#run(), Math.min(waitMs, 2 ** 31 - 1))
  }
}
