/** An answer did not come in time. */
export class TimeoutError extends Error {
  readonly code = 'MICS_TIMEOUT'

  constructor (ms: number) {
    super(`no answer within ${ms} ms`)
    this.name = 'TimeoutError'
  }
}

interface Waiting {
  dueAt: number
  reject: (error: Error) => void
}

/** Answers that are waited for, each for the same time: the oldest is due first, so one timer is enough for all. */
export class InFlight {
  private readonly waiting = new Set<Waiting>()
  private timer: NodeJS.Timeout | undefined

  constructor (private readonly timeoutMs: number) {}

  get size (): number {
    return this.waiting.size
  }

  /** Passes on the answer. Rejects with a TimeoutError where it does not come in time. */
  wait<T> (answer: Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const waiting = { dueAt: performance.now() + this.timeoutMs, reject }
      this.waiting.add(waiting)
      this.timer ??= this.lookIn(this.timeoutMs)
      answer.then(
        value => {
          this.waiting.delete(waiting)
          resolve(value)
        },
        error => {
          this.waiting.delete(waiting)
          reject(error)
        }
      )
    })
  }

  /** Rejects all that are waited for now. */
  abort (error: Error): void {
    const aborted = [...this.waiting]
    this.waiting.clear()
    for (const { reject } of aborted) reject(error)
  }

  private lookIn (ms: number): NodeJS.Timeout {
    // Once more around the event loop: where this process was held up, answers that are here already are read first.
    return setTimeout(() => setImmediate(() => this.expire()), ms).unref()
  }

  private expire (): void {
    const now = performance.now()
    this.timer = undefined
    for (const waiting of this.waiting) {
      if (waiting.dueAt > now) {
        this.timer = this.lookIn(waiting.dueAt - now)
        return
      }
      this.waiting.delete(waiting)
      waiting.reject(new TimeoutError(this.timeoutMs))
    }
  }
}
