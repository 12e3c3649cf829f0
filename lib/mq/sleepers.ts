/** Calls `run` once after so many milliseconds; what it returns prevents that. */
export type StartTimer = (ms: number, run: () => void) => () => void

export const startTimer: StartTimer = (ms, run) => {
  const timer = setTimeout(run, ms).unref()
  return () => clearTimeout(timer)
}

/**
 * Milliseconds between two looks at who is to be woken: each goes through all of them, and where thousands of topics
 * fail there is somebody to wake in every millisecond.
 */
const MIN_INTERVAL_MS = 20

interface Sleeper {
  at: number
  wake: () => void
}

/** Who waits for a time, each for one; thousands of them with one timer. */
export class Sleepers {
  private readonly sleepers = new Map<object, Sleeper>()
  private lookedAt = -Infinity
  private timer?: { at: number, cancel: () => void }

  /** @param now milliseconds that only go forward */
  constructor (private readonly now: () => number, private readonly startTimer: StartTimer) {}

  get size (): number {
    return this.sleepers.size
  }

  /** Calls `wake` at a time, or a few milliseconds later, instead of what was said before for the same. */
  sleep (who: object, at: number, wake: () => void): void {
    this.sleepers.set(who, { at, wake })
    this.setTimer(at)
  }

  /** Nothing is to be called any more. */
  forget (who: object): void {
    this.sleepers.delete(who)
  }

  /** Wakes all now. */
  wakeAll (): void {
    this.wakeUntil(Infinity)
  }

  close (): void {
    this.timer?.cancel()
    this.timer = undefined
    this.sleepers.clear()
  }

  private setTimer (soonest: number): void {
    const at = Math.max(soonest, this.lookedAt + MIN_INTERVAL_MS)
    if (this.timer !== undefined && this.timer.at <= at) return
    this.timer?.cancel()
    const cancel = this.startTimer(Math.max(Math.ceil(at - this.now()), 0), () => {
      this.timer = undefined
      this.lookedAt = this.now()
      this.wakeUntil(this.lookedAt)
    })
    this.timer = { at, cancel }
  }

  private wakeUntil (time: number): void {
    let nextAt = Infinity
    const due: Sleeper[] = []
    for (const [who, sleeper] of this.sleepers) {
      if (sleeper.at > time) {
        nextAt = Math.min(nextAt, sleeper.at)
      } else {
        this.sleepers.delete(who)
        due.push(sleeper)
      }
    }
    if (nextAt < Infinity) this.setTimer(nextAt)
    for (const { wake } of due) wake()
  }
}
