import type { Metric } from '../metrics/exposition.js'
import type { PrimaryMetrics } from './worker-messages.js'

/**
 * What no worker can tell of itself.
 * @param answered which of them have told their metrics, the first worker first
 * @param primary undefined: it has not answered
 */
export function metricsOfWorkers (answered: readonly boolean[], primary: PrimaryMetrics | undefined): Metric[] {
  const metrics: Metric[] = [{
    name: 'mics_worker_up',
    help: 'Whether the worker has told its metrics in time',
    type: 'gauge',
    labelNames: ['worker'],
    read: emit => answered.forEach((isUp, index) => emit({ worker: index + 1 }, isUp ? 1 : 0)),
  }]
  if (primary !== undefined) {
    const { restarts, cpuSeconds, residentBytes } = primary
    metrics.push({
      name: 'mics_worker_restarts_total',
      help: 'How often the worker had ended and was started again',
      type: 'counter',
      labelNames: ['worker'],
      read: emit => restarts.forEach((count, index) => emit({ worker: index + 1 }, count)),
    }, {
      name: 'mics_primary_cpu_seconds_total',
      help: 'Processor time of the process that accepts connections for the workers',
      type: 'counter',
      labelNames: [],
      read: emit => emit({}, cpuSeconds),
    }, {
      name: 'mics_primary_resident_memory_bytes',
      help: 'Memory of the process that accepts connections for the workers',
      type: 'gauge',
      labelNames: [],
      read: emit => emit({}, residentBytes),
    })
  }
  return metrics
}
