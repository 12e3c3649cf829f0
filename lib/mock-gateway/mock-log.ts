/** Something that the mock has seen or done. */
export interface LogEntry {
  /** 1, 2, 3 ... */
  seq: number
  /** Unix milliseconds. */
  timeMs: number
  what: string
  /** The connection's number in the life of the mock; undefined: of none. */
  connection?: number
  [detail: string]: unknown
}

/** Entries that are kept. */
const CAPACITY = 10_000

/** The latest entries; older ones give way. */
export class MockLog {
  #entries: LogEntry[] = []
  #seq = 0

  constructor (private readonly onEntry?: (entry: LogEntry) => void) {}

  add (what: string, details: Record<string, unknown> = {}): void {
    const entry: LogEntry = { seq: ++this.#seq, timeMs: Date.now(), what, ...details }
    this.#entries.push(entry)
    if (this.#entries.length >= 2 * CAPACITY) this.#entries = this.#entries.slice(-CAPACITY)
    this.onEntry?.(entry)
  }

  /** Those after the entry with this number, oldest first; at most 10,000. */
  after (seq: number): LogEntry[] {
    return this.#entries.slice(-CAPACITY).filter(entry => entry.seq > seq)
  }
}
