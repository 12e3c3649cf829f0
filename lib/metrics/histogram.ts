import type { Emit, Labels } from './exposition.js'

/** Observations in buckets: plain numbers, because some are made with every message. */
export class Histogram {
  private readonly counts: Float64Array
  private sum = 0

  /** @param bounds upper bounds of the buckets, ascending; what is above the last is counted too */
  constructor (private readonly bounds: readonly number[]) {
    this.counts = new Float64Array(bounds.length + 1)
  }

  observe (value: number): void {
    const { bounds } = this
    let bucket = 0
    while (bucket < bounds.length && value > bounds[bucket]) bucket++
    this.counts[bucket]++
    this.sum += value
  }

  /** As Prometheus has them: each bucket holds those before it as well. */
  emit (labels: Labels, emit: Emit): void {
    let count = 0
    this.counts.forEach((inBucket, i) => {
      count += inBucket
      emit({ ...labels, le: this.bounds[i] ?? Infinity }, count, '_bucket')
    })
    emit(labels, this.sum, '_sum')
    emit(labels, count, '_count')
  }
}
