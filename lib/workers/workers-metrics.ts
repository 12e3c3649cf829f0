import { textOf } from '../metrics/exposition.js'
import { mergeExpositions } from './merge-expositions.js'
import { metricsOfWorkers } from './metrics-of-workers.js'
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
    const [own] = await Promise.all([this.#own(), answered]).finally(() => this.#open.delete(question))
    const texts = new Map(gathering.texts).set(worker, own)
    const all = Array.from({ length: workers }, (_, index) => texts.get(index + 1))
    const ofWorkers = metricsOfWorkers(all.map(text => text !== undefined), gathering.primary)
    return ofWorkers.map(metric => textOf(metric)).join('') + await mergeExpositions(all.filter(text => text !== undefined))
  }
}
