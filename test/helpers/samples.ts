import type { Labels } from '../../lib/metrics/exposition.js'
import type { GatewayMetrics } from '../../lib/metrics/gateway-metrics.js'

export interface Sample {
  labels: Labels
  value: number
  suffix: string
}

/** The samples of a metric; none where there is no such metric. */
export function samplesOf ({ metrics }: GatewayMetrics, name: string): Sample[] {
  const samples: Sample[] = []
  metrics.find(metric => metric.name === name)?.read((labels, value, suffix = '') => samples.push({ labels, value, suffix }))
  return samples
}
