/** A record's topic and key: what is sent in order. */
export function lineOf ({ topic, key }: { topic: string, key: string }): string {
  return `${topic}\0${key}`
}

interface Failure<E> {
  readonly failedId: number
  readonly lastId: number
  readonly error: E
}

/**
 * Topics and keys of which a record failed while others behind it were on their way. Those must fail too, or the one
 * that failed would be published again behind them.
 */
export class FailedLines<E> {
  /** In the order of `lastId`. */
  private readonly failures = new Map<string, Failure<E>>()

  get size (): number {
    return this.failures.size
  }

  /**
   * @param failedId the record that failed
   * @param lastId the last one that was on its way then; what came later is not behind it
   */
  add (line: string, failedId: number, lastId: number, error: E): void {
    const known = this.failures.get(line)
    if (known !== undefined && failedId <= known.lastId) return
    this.failures.delete(line)
    this.failures.set(line, { failedId, lastId, error })
  }

  /** Why a record must fail, where it is behind one that failed. */
  errorFor (line: string, id: number): E | undefined {
    const failure = this.failures.get(line)
    return failure !== undefined && failure.failedId < id && id <= failure.lastId ? failure.error : undefined
  }

  /** Forgets failures with nothing behind them any more. */
  forget (oldestId: number): void {
    for (const [line, { lastId }] of this.failures) {
      if (lastId >= oldestId) return
      this.failures.delete(line)
    }
  }
}
