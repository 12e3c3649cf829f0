import type { ClusterHealth } from './cluster-health.js'
import type { EventBatch } from './event-batch.js'
import { LinkedQueue } from './linked-queue.js'
import type { Sleepers } from './sleepers.js'
import type { TenantOutbox } from './tenant-outbox.js'

/**
 * What may be done in one turn of the event loop, and of that for one tenant before the next one's turn, in small
 * events. The last batch may pass it.
 */
const TURN_COST = 64
const SLICE_COST = 32

export interface EventPumpOptions {
  cluster: ClusterHealth
  sleepers: Sleepers
  /** Hands a batch to the transport. Gives what it cost, in small events. */
  handOver: (batch: EventBatch) => number
  /** Milliseconds that only go forward. */
  now: () => number
}

/**
 * Goes round the tenants that have something to publish, a slice each, between the turns of the event loop: neither
 * another tenant nor the chat waits for a tenant's thousands of events.
 */
export class EventPump {
  private readonly round = new LinkedQueue<TenantOutbox>()
  private isScheduled = false
  private isClosed = false

  constructor (private readonly options: EventPumpOptions) {}

  /** The outbox may have something that can go. */
  add (outbox: TenantOutbox): void {
    this.enter(outbox)
    this.wake()
  }

  /** Goes on, where it had to stop. */
  wake (): void {
    if (this.isScheduled) return
    this.isScheduled = true
    setImmediate(this.turn)
  }

  /** Hands nothing over any more. */
  close (): void {
    this.isClosed = true
  }

  private readonly turn = (): void => {
    this.isScheduled = false
    if (this.isClosed) return
    const { cluster, sleepers } = this.options
    const now = this.options.now()
    let spent = 0
    while (spent < TURN_COST && cluster.room(now) > 0) {
      const outbox = this.round.shift()
      if (outbox === undefined) return
      outbox.isInRound = false
      spent += this.serve(outbox, now)
    }
    if (this.round.first === undefined) return
    if (cluster.room(now) > 0) this.wake()
    else if (cluster.opensAt < Infinity) sleepers.sleep(this, cluster.opensAt, () => this.wake())
  }

  private serve (outbox: TenantOutbox, now: number): number {
    const { cluster, sleepers, handOver } = this.options
    let spent = 0
    while (spent < SLICE_COST && cluster.room(now) > 0) {
      const batch = outbox.nextBatch(now, cluster)
      if (batch === undefined) {
        const { opensAt } = outbox
        if (opensAt < Infinity) sleepers.sleep(outbox, opensAt, () => this.add(outbox))
        return spent
      }
      spent += handOver(batch)
    }
    this.enter(outbox)
    return spent
  }

  private enter (outbox: TenantOutbox): void {
    if (outbox.isInRound) return
    outbox.isInRound = true
    this.round.push(outbox)
  }
}
