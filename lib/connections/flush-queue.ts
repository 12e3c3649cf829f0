/** What has something to write at the end of this turn of the event loop. */
export interface Flushable {
  flush (): void
}

/**
 * Collects the connections that were given frames in this turn of the event loop and flushes each once, so that a
 * connection's frames of one turn become one write: the system call is the dearest part of a send.
 */
export class FlushQueue {
  private dirty: Flushable[] = []

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

  add (item: Flushable): void {
    if (this.dirty.push(item) === 1) setImmediate(this.run)
  }
}
