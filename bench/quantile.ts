/** The value that so many of them are below or equal to. `share` from 0 to 1. */
export function quantile (values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(Math.floor(sorted.length * share), sorted.length - 1)]
}

export function median (values: readonly number[]): number {
  return quantile(values, 0.5)
}
