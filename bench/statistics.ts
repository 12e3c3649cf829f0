/** The value that so many of them are below or equal to. `share` from 0 to 1. Of none: NaN. */
export function quantile (values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted.length === 0 ? NaN : sorted[Math.min(Math.floor(sorted.length * share), sorted.length - 1)]
}

/** Of an even number of values the mean of the two in the middle. Of none: NaN. */
export function median (values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

/** How many times `values` are of `base`. */
export interface Ratio {
  /** Of the medians. */
  value: number
  /** Of the rounds: the smallest and the largest ratio within one round, in which both were measured side by side. */
  from: number
  to: number
}

/** Both have one value a round, in the same order. */
export function ratioOf (values: readonly number[], base: readonly number[]): Ratio {
  const rounds = values.map((value, round) => value / base[round])
  return { value: median(values) / median(base), from: Math.min(...rounds), to: Math.max(...rounds) }
}
