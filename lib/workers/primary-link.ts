import cluster from 'node:cluster'
import type { FromWorker, ToWorker } from './worker-messages.js'
import { WorkersMetrics } from './workers-metrics.js'

/** This worker is to end before it has come to listen. */
export class StoppedError extends Error {
  readonly code = 'MICS_WORKER_STOPPED'
}

/**
 * A worker's side of the channel to its primary. The channel ends with the primary, however that one ended: then it is
 * time to go, as if it had said so.
 */
export class PrimaryLink {
  readonly metrics: WorkersMetrics
  readonly #stop = new AbortController()
  readonly #end = new AbortController()
  readonly #mayListen: Promise<void>

  /** @param worker which one this is, counted from 1, of `workers` */
  constructor (worker: number, workers: number) {
    this.metrics = new WorkersMetrics({ worker, workers, send: message => { this.tell(message) } })
    this.#mayListen = new Promise((resolve, reject) => {
      this.stopping.addEventListener('abort', () => reject(new StoppedError('stopped before it listened')))
      process.on('message', (message: ToWorker) => {
        if (message.kind === 'listen') resolve()
        else this.#hear(message)
      })
    })
    this.#mayListen.catch(() => {}) // mayListen() says so, where anybody asks.
    cluster.worker?.once('disconnect', () => {
      // Or Node.js ends the process at once.
      if (cluster.worker !== undefined) cluster.worker.exitedAfterDisconnect = true
      this.#stop.abort()
    })
    // A terminal's Ctrl-C, and a service manager that stops a whole group, mean the primary: it tells its workers.
    for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => {})
  }

  /** Aborted when this worker is to drain and end. */
  get stopping (): AbortSignal {
    return this.#stop.signal
  }

  /** Aborted when it is to end at once. */
  get ending (): AbortSignal {
    return this.#end.signal
  }

  /** Says that it is ready. Resolves when it may take clients. Rejects with a StoppedError when it is to end. */
  async mayListen (): Promise<void> {
    this.tell({ kind: 'ready' })
    await this.#mayListen
  }

  /** Resolves when the message is on its way, or can reach nobody any more. */
  async tell (message: FromWorker): Promise<void> {
    if (!process.connected) return
    await new Promise<void>(resolve => process.send?.(message, undefined, undefined, () => resolve()))
  }

  #hear (message: ToWorker): void {
    if (message.kind === 'ping') this.tell({ kind: 'pong' })
    else if (message.kind === 'stop') this.#stop.abort()
    else if (message.kind === 'end') this.#end.abort()
    else this.metrics.hear(message)
  }
}
