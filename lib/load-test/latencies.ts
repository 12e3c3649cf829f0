import { createHistogram, type RecordableHistogram } from 'node:perf_hooks'

/**
 * - `connect`: from the attempt to connect_ack
 * - `ack`: of SENT, from when the message was due (at a rate) or sent (with a window)
 * - `delivery`: from the same moment to each recipient
 * - `catchUp`: of messages that waited for a recipient: from the attempt to connect
 * - `heartbeat`: from a ping to its pong
 * - `lateness`: how much later than due a message was sent
 */
export const latencyNames = ['connect', 'ack', 'delivery', 'catchUp', 'heartbeat', 'lateness'] as const

export type LatencyName = typeof latencyNames[number]

/** HDR histograms of microseconds, with three digits. */
export type Latencies = Record<LatencyName, RecordableHistogram>

/** Milliseconds. */
export interface LatencySummary {
  count: number
  min: number
  mean: number
  p50: number
  p90: number
  p99: number
  p999: number
  max: number
}

/** An hour. What takes longer counts as that. */
const HIGHEST_US = 3_600_000_000

export function emptyLatencies (): Latencies {
  const histogram = (): RecordableHistogram => createHistogram({ lowest: 1, highest: HIGHEST_US, figures: 3 })
  return Object.fromEntries(latencyNames.map(name => [name, histogram()])) as Latencies
}

/** `us`: microseconds. */
export function record (histogram: RecordableHistogram, us: number): void {
  histogram.record(us < 1 ? 1 : us > HIGHEST_US ? HIGHEST_US : Math.round(us))
}

/** Adds what another thread has recorded. */
export function addLatencies (to: Latencies, more: Latencies): void {
  for (const name of latencyNames) {
    if (more[name].count > 0) to[name].add(more[name])
  }
}

/** Null: nothing was recorded. */
export function summaryOf (histogram: RecordableHistogram): LatencySummary | null {
  if (histogram.count === 0) return null
  const at = (percentile: number): number => toMs(histogram.percentile(percentile))
  return {
    count: histogram.count,
    min: toMs(histogram.min),
    mean: toMs(histogram.mean),
    p50: at(50),
    p90: at(90),
    p99: at(99),
    p999: at(99.9),
    max: toMs(histogram.max),
  }
}

function toMs (us: number): number {
  return Math.round(us) / 1000
}
