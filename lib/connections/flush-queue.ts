/** What has something to write at the end of this turn of the event loop. */
export interface Flushable {
  flush (): void
}

/** One that may be part of a large fan-out. */
export interface BulkFlushable extends Flushable {
  /** Whether it waits in the queue for bulk. Only for the queue. */
  isInBulk: boolean
}

/** Milliseconds of a turn that bulk may take: all others wait for it, and each socket's frames gather meanwhile. */
const BULK_TURN_MS = 1

/** Milliseconds that bulk waits for a turn without new frames: messages that come close together share writes. */
const BULK_WAIT_MS = 4

/** Flushed between two looks at the clock, and for one tenant until it is the next one's turn. */
const BULK_CHUNK = 16

/** Those done are let go when there are as many, and as many as those still waiting. */
const MIN_DONE = 1024

/** In the order of coming; those before `next` are done. */
interface TenantBulk {
  readonly items: BulkFlushable[]
  next: number
}

/**
 * Collects the connections that were given frames in this turn of the event loop and flushes each once, so that a
 * connection's frames of one turn become one write: the system call is the dearest part of a send.
 *
 * The receivers of large fan-outs are flushed a bounded part a turn, tenant by tenant, so that ten thousand writes are
 * felt by nobody else; frames that come for them meanwhile share the write.
 */
export class FlushQueue {
  private dirty: Flushable[] = []
  private readonly bulk = new Map<string, TenantBulk>()
  private isBulkScheduled = false
  private isBulkGrowing = false
  /** When the bulk that is there is waited with no longer. */
  private bulkDueAt = 0

  constructor (private readonly now: () => number = performance.now.bind(performance)) {}

  add (item: Flushable): void {
    if (this.dirty.push(item) === 1) setImmediate(this.run)
  }

  /** For each frame of a large fan-out. */
  addBulk (tenantId: string, item: BulkFlushable): void {
    this.isBulkGrowing = true
    if (item.isInBulk) return
    item.isInBulk = true
    const ofTenant = this.bulk.get(tenantId)
    if (ofTenant !== undefined) {
      ofTenant.items.push(item)
      return
    }
    this.bulk.set(tenantId, { items: [item], next: 0 })
    if (this.isBulkScheduled) return
    this.isBulkScheduled = true
    this.bulkDueAt = this.now() + BULK_WAIT_MS
    setImmediate(this.runBulk)
  }

  private readonly run = (): void => {
    const batch = this.dirty
    this.dirty = []
    let flushed = 0
    try {
      while (flushed < batch.length) batch[flushed++].flush()
    } finally {
      // One that throws must not keep the others waiting for ever.
      for (const item of batch.slice(flushed)) this.add(item)
    }
  }

  private readonly runBulk = (): void => {
    try {
      const startedAt = this.now()
      const mayWait = this.isBulkGrowing && startedAt < this.bulkDueAt
      this.isBulkGrowing = false
      if (mayWait) return
      do this.flushChunk()
      while (this.bulk.size > 0 && this.now() - startedAt < BULK_TURN_MS)
    } finally {
      this.isBulkScheduled = this.bulk.size > 0
      if (this.isBulkScheduled) setImmediate(this.runBulk)
    }
  }

  /** Some for the tenant that has waited longest; then it is last. */
  private flushChunk (): void {
    const [[tenantId, ofTenant]] = this.bulk
    const { items } = ofTenant
    const end = Math.min(ofTenant.next + BULK_CHUNK, items.length)
    try {
      while (ofTenant.next < end) {
        const item = items[ofTenant.next++]
        item.isInBulk = false
        item.flush()
      }
    } finally {
      // Only now: what a flush adds joins those that are here.
      this.bulk.delete(tenantId)
      if (ofTenant.next < items.length) this.bulk.set(tenantId, ofTenant)
      // A tenant whose groups never rest has always some that wait.
      if (ofTenant.next >= MIN_DONE && ofTenant.next * 2 >= items.length) {
        items.splice(0, ofTenant.next)
        ofTenant.next = 0
      }
    }
  }
}
