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
  private readonly idleListeners: Array<() => void> = []
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
          resolve(value)
          this.end(waiting)
        },
        error => {
          reject(error)
          this.end(waiting)
        }
      )
    })
  }

  /** Resolves when nothing is waited for. */
  async idle (): Promise<void> {
    if (this.waiting.size > 0) await new Promise<void>(resolve => { this.idleListeners.push(resolve) })
  }

  /** Rejects all that are waited for now. */
  abort (error: Error): void {
    for (const waiting of [...this.waiting]) {
      waiting.reject(error)
      this.end(waiting)
    }
  }

  private end (waiting: Waiting): void {
    this.waiting.delete(waiting)
    if (this.waiting.size === 0) for (const listener of this.idleListeners.splice(0)) listener()
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
      waiting.reject(new TimeoutError(this.timeoutMs))
      this.end(waiting)
    }
  }
}
