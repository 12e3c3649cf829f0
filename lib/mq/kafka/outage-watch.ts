import { setTimeout as delay } from 'node:timers/promises'

/** Milliseconds between two looks whether an outage is over. */
const LOOK_INTERVAL_MS = 1000

export interface OutageWatchOptions {
  /** Whether Kafka answers, and has a leader for each partition that is read. */
  look: () => Promise<boolean>
  onAway: () => void
  onBack: () => void
}

/**
 * Tells of an outage once, and once of its end. A client's log has many lines for one outage, and some where another
 * broker has taken over long since: such a line is only a reason to look.
 */
export class OutageWatch {
  private isLooking = false
  private isStopped = false

  constructor (private readonly options: OutageWatchOptions) {}

  /** Something went wrong. */
  trouble (): void {
    if (!this.isLooking && !this.isStopped) this.follow()
  }

  /** Nothing is to be told any more. */
  stop (): void {
    this.isStopped = true
  }

  private async follow (): Promise<void> {
    this.isLooking = true
    let isAway = false
    for (;;) {
      const isThere = await this.options.look()
      if (this.isStopped || isThere) break
      if (!isAway) this.options.onAway()
      isAway = true
      await delay(LOOK_INTERVAL_MS, undefined, { ref: false })
    }
    this.isLooking = false
    if (isAway && !this.isStopped) this.options.onBack()
  }
}
