import { AckReason } from '../protocol/server-errors.js'
import type { FirstOutcome } from './dedup.js'

/** Milliseconds until the first look; then twice as many each time, up to the second number. */
const FIRST_PAUSE_MS = 50
const MAX_PAUSE_MS = 400

/** What became of the message is not known: its sender may try again. */
export const UNKNOWN_OUTCOME: FirstOutcome = { sent: false, reason: AckReason.DELIVERY_FAILED }

/** Where an outcome can be seen; undefined: not yet. */
type Look = () => Promise<FirstOutcome | undefined>

interface Wait {
  look: Look
  resolve: (outcome: FirstOutcome) => void
  pauseMs: number
  givesUpAt: number
  timer?: NodeJS.Timeout
}

/** Waits for the outcomes of messages that other nodes process, by looking again and again. */
export class OutcomeWatch {
  /** Waits that were refused because there were too many. */
  overflows = 0
  private readonly waits = new Set<Wait>()

  constructor (private readonly options: {
    maxWaits: number
    /** Milliseconds until a wait is given up. */
    patienceMs: number
    /** Told of each look that failed. */
    onError: (error: unknown) => void
    /** Milliseconds that only go forward. */
    now: () => number
  }) {}

  /** Outcomes waited for now. */
  get size (): number {
    return this.waits.size
  }

  /** Resolves with what `look` sees; with UNKNOWN_OUTCOME where it sees nothing in time. Never rejects. */
  until (look: Look): Promise<FirstOutcome> {
    const { maxWaits, patienceMs, now } = this.options
    if (this.waits.size >= maxWaits) {
      this.overflows++
      return Promise.resolve(UNKNOWN_OUTCOME)
    }
    return new Promise(resolve => {
      const wait = { look, resolve, pauseMs: FIRST_PAUSE_MS, givesUpAt: now() + patienceMs }
      this.waits.add(wait)
      this.lookLater(wait)
    })
  }

  /** Ends all waits. */
  close (): void {
    for (const wait of this.waits) this.end(wait, UNKNOWN_OUTCOME)
  }

  private lookLater (wait: Wait): void {
    wait.timer = setTimeout(() => { this.look(wait) }, wait.pauseMs).unref()
    wait.pauseMs = Math.min(wait.pauseMs * 2, MAX_PAUSE_MS)
  }

  private async look (wait: Wait): Promise<void> {
    let outcome: FirstOutcome | undefined
    try {
      outcome = await wait.look()
    } catch (error) {
      // That says nothing: the next look may be answered.
      this.options.onError(error)
    }
    if (!this.waits.has(wait)) return
    if (outcome !== undefined) this.end(wait, outcome)
    else if (this.options.now() >= wait.givesUpAt) this.end(wait, UNKNOWN_OUTCOME)
    else this.lookLater(wait)
  }

  private end (wait: Wait, outcome: FirstOutcome): void {
    clearTimeout(wait.timer)
    this.waits.delete(wait)
    wait.resolve(outcome)
  }
}
