/** What was handed to the client and is not settled, by a number that grows. */
export class RecordsOnTheWay<T> {
  private readonly records = new Map<number, T>()
  private next = 1
  /** None with a lower number is on its way. */
  private oldest = 1

  get size (): number {
    return this.records.size
  }

  /** The number of the latest one. */
  get latestId (): number {
    return this.next - 1
  }

  /** Every number below is settled. */
  get oldestId (): number {
    return this.oldest
  }

  add (record: T): number {
    const id = this.next++
    this.records.set(id, record)
    return id
  }

  /** Takes one out. undefined: it is settled already. */
  take (id: number): T | undefined {
    const record = this.records.get(id)
    this.records.delete(id)
    while (this.oldest < this.next && !this.records.has(this.oldest)) this.oldest++
    return record
  }

  some (holds: (record: T) => boolean): boolean {
    for (const record of this.records.values()) if (holds(record)) return true
    return false
  }

  /** Takes all out, in the order in which they came. */
  takeAll (): T[] {
    const all = [...this.records.values()]
    this.records.clear()
    this.oldest = this.next
    return all
  }
}
