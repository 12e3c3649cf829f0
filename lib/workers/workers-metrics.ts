import { textOf, type Metric } from '../metrics/exposition.js'
import { mergeExpositions } from './merge-expositions.js'
import type { FromWorker, PrimaryMetrics, ToWorker } from './worker-messages.js'

/** Milliseconds for the other workers to answer: a scrape has 10 seconds by Prometheus' default. */
const ANSWER_MS = 3000

export interface WorkersMetricsOptions {
  /** Which worker this one is, counted from 1. */
  worker: number
  /** How many there are. */
  workers: number
  /** To the primary. */
  send: (message: FromWorker) => void
  /** Milliseconds for the others to answer. */
  answerMs?: number
}

/** What the primary and the other workers have answered so far. */
interface Gathering {
  /** By worker; undefined: it cannot be asked. */
  texts: Map<number, string | undefined>
  primary?: PrimaryMetrics
  done: () => void
}

/** The metrics of all workers by way of any one of them: the primary passes questions and answers on. */
export class WorkersMetrics {
  readonly #options: Required<WorkersMetricsOptions>
  readonly #open = new Map<number, Gathering>()
  #own: () => Promise<string> = async () => ''
  #questions = 0
  #gathering?: Promise<string>

  constructor ({ answerMs = ANSWER_MS, ...options }: WorkersMetricsOptions) {
    this.#options = { answerMs, ...options }
  }

  /** What every sample of this worker's metrics is to be labelled with. */
  get labels (): { worker: string } {
    return { worker: String(this.#options.worker) }
  }

  /** @param own this worker's metrics, so labelled, for whoever asks */
  serve (own: () => Promise<string>): void {
    this.#own = own
  }

  /**
   * The metrics of all workers. Of one that does not answer in time there are none, and `mics_worker_up` is 0. Who asks
   * meanwhile gets the same.
   */
  gather (): Promise<string> {
    this.#gathering ??= this.#gather().finally(() => { this.#gathering = undefined })
    return this.#gathering
  }

  /** What the primary says of metrics; all else is left alone. */
  hear (message: ToWorker): void {
    if (message.kind === 'metrics-wanted') {
      const { by, question } = message
      // One that fails is one that does not answer.
      this.#own().then(text => this.#options.send({ kind: 'metrics-for', worker: by, question, text }), () => {})
    } else if (message.kind === 'metrics') {
      const gathering = this.#open.get(message.question)
      gathering?.texts.set(message.worker, message.text)
      gathering?.done()
    } else if (message.kind === 'primary-metrics') {
      const gathering = this.#open.get(message.question)
      if (gathering === undefined) return
      gathering.primary = message.metrics
      gathering.done()
    }
  }

  async #gather (): Promise<string> {
    const { worker, workers, send, answerMs } = this.#options
    const question = ++this.#questions
    const gathering: Gathering = { texts: new Map(), done: () => {} }
    this.#open.set(question, gathering)
    const answered = new Promise<void>(resolve => {
      const timer = setTimeout(resolve, answerMs)
      gathering.done = () => {
        if (gathering.texts.size < workers - 1 || gathering.primary === undefined) return
        clearTimeout(timer)
        resolve()
      }
    })
    send({ kind: 'gather-metrics', question })
    const own = await this.#own()
    await answered
    this.#open.delete(question)
    const texts = new Map(gathering.texts).set(worker, own)
    const all = Array.from({ length: workers }, (_, index) => texts.get(index + 1))
    return metricsOfAll(all, gathering.primary) + await mergeExpositions(all.filter(text => text !== undefined))
  }
}

/** What no worker can tell of itself. */
function metricsOfAll (texts: readonly (string | undefined)[], primary: PrimaryMetrics | undefined): string {
  const metrics: Metric[] = [{
    name: 'mics_worker_up',
    help: 'Whether the worker has told its metrics in time',
    type: 'gauge',
    labelNames: ['worker'],
    read: emit => texts.forEach((text, index) => emit({ worker: index + 1 }, text === undefined ? 0 : 1)),
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
  return metrics.map(metric => textOf(metric)).join('')
}
