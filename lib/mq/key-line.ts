import { LinkedQueue } from './linked-queue.js'
import type { PendingEvent } from './pending-event.js'

/** Of values, in one batch; a first event that is larger makes a batch of its own. */
const MAX_BATCH_BYTES = 512 * 1024

/**
 * The events of one tenant and key, in order. One batch of them is on its way at a time, and what comes back from it
 * goes before all others, so the order survives every retry.
 */
export class KeyLine extends LinkedQueue<PendingEvent> {
  /** The next line of those that wait for their turn. */
  next?: KeyLine = undefined
  private onTheWay: readonly PendingEvent[] = []

  constructor (readonly key: string) {
    super()
  }

  /** The oldest event that is not settled. */
  get oldest (): PendingEvent | undefined {
    return this.onTheWay[0] ?? this.first
  }

  /** All that is not settled, in order. */
  * unsettled (): Generator<PendingEvent> {
    yield * this.onTheWay
    for (let event = this.first; event !== undefined; event = event.next) yield event
  }

  /** Takes a batch out: the events at the front for which `goes` holds, at least one of which there must be. */
  takeBatch (maxEvents: number, goes: (event: PendingEvent) => boolean): readonly PendingEvent[] {
    const batch: PendingEvent[] = []
    let bytes = 0
    for (let event = this.first; event !== undefined && batch.length < maxEvents && goes(event); event = this.first) {
      bytes += event.event.value.length
      if (batch.length > 0 && bytes > MAX_BATCH_BYTES) break
      this.shift()
      batch.push(event)
    }
    this.onTheWay = batch
    return batch
  }

  /** Ends the batch. `remaining` are those of it that must go again, in order. */
  endBatch (remaining: readonly PendingEvent[]): void {
    this.onTheWay = []
    for (let i = remaining.length - 1; i >= 0; i--) this.unshift(remaining[i])
  }
}
