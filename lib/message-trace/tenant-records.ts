import type { TraceRecord } from './trace-record.js'

/** The records of one tenant, oldest first. */
export class TenantRecords {
  count = 0
  private oldest?: TraceRecord
  private newest?: TraceRecord

  constructor (readonly tenantId: string) {}

  get first (): TraceRecord | undefined {
    return this.oldest
  }

  append (record: TraceRecord): void {
    if (this.newest === undefined) this.oldest = record
    else this.newest.newer = record
    this.newest = record
    this.count++
  }

  /** Takes out the oldest of at least one. */
  shift (): TraceRecord {
    const record = this.oldest as TraceRecord
    this.oldest = record.newer
    if (this.oldest === undefined) this.newest = undefined
    this.count--
    return record
  }

  * [Symbol.iterator] (): Iterator<TraceRecord> {
    for (let record = this.oldest; record !== undefined; record = record.newer) yield record
  }
}
