import { randomFillSync } from 'node:crypto'

const ID_BYTES = 8

/** Random numbers that are fetched at once: a call for each id would cost more than the rest of a record's headers. */
const POOL_BYTES = 4096

/** Ids of spans as W3C Trace Context has them: 16 hex digits, not all of them zero. */
export class SpanIds {
  private readonly pool = Buffer.alloc(POOL_BYTES)
  private pos = POOL_BYTES

  /** @param fill fills a buffer with random bytes */
  constructor (private readonly fill: (pool: Buffer) => unknown = randomFillSync) {}

  next (): string {
    for (;;) {
      if (this.pos === POOL_BYTES) {
        this.fill(this.pool)
        this.pos = 0
      }
      const id = this.pool.toString('hex', this.pos, this.pos += ID_BYTES)
      if (id !== '0000000000000000') return id
    }
  }
}
