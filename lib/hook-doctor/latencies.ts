export interface Sample {
  operation: string
  /** What was special about the call; may be empty. */
  what: string
  ms: number
  /** A connection was opened for it. */
  isCold: boolean
  isAnswered: boolean
}

/** How long good calls took, in milliseconds. */
export class Latencies {
  readonly samples: Sample[] = []

  add (sample: Sample): void {
    this.samples.push(sample)
  }

  get slowest (): Sample | undefined {
    return [...this.samples].sort((a, b) => b.ms - a.ms)[0]
  }
}

/** The smallest value that so many of all are not above; 0 where there are none. */
export function quantile (values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? 0
}

export function millis (ms: number): string {
  return ms < 10 ? `${ms.toFixed(1)} ms` : `${Math.round(ms)} ms`
}
