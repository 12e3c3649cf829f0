interface Mark<T> {
  readonly id: number
  readonly lastId: number
  readonly about: T
}

/**
 * What one record's failure means for those that are on their way behind it, on the same line: such as that they must
 * fail too. It holds until they are settled.
 */
export class RecordsBehind<T> {
  /** In the order of `lastId`. */
  private readonly marks = new Map<string, Mark<T>>()

  get size (): number {
    return this.marks.size
  }

  /**
   * @param line what the records have in common, such as their topic
   * @param id the record that failed
   * @param lastId the last record on its way then; what came later is not behind
   */
  mark (line: string, id: number, lastId: number, about: T): void {
    const known = this.marks.get(line)
    const isBehind = known !== undefined && id <= known.lastId
    this.marks.delete(line)
    // What came since the first one failed is behind this one.
    this.marks.set(line, isBehind ? { ...known, lastId } : { id, lastId, about })
  }

  /** What is marked for a record, where it is behind one. */
  get (line: string, id: number): T | undefined {
    const mark = this.marks.get(line)
    return mark !== undefined && mark.id < id && id <= mark.lastId ? mark.about : undefined
  }

  /** Forgets marks with nothing behind them any more: every record before `oldestId` is settled. */
  forget (oldestId: number): void {
    for (const [line, { lastId }] of this.marks) {
      if (lastId >= oldestId) return
      this.marks.delete(line)
    }
  }
}
