import { once } from 'node:events'
import type { Writable } from 'node:stream'

/** Writes lines as fast as they are read, and notices when nobody reads any more, as behind `| head`. */
export class LineOutput {
  private readonly gone = new AbortController()

  constructor (private readonly stream: Writable) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error
      this.gone.abort()
    })
  }

  /** Aborted when nobody reads any more. */
  get closed (): AbortSignal {
    return this.gone.signal
  }

  async write (line: string): Promise<void> {
    if (this.closed.aborted || this.stream.write(`${line}\n`)) return
    await once(this.stream, 'drain', { signal: this.closed }).catch(error => {
      if (!this.closed.aborted) throw error
    })
  }
}
