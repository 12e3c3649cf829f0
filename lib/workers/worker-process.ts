import type { Worker } from 'node:cluster'
import { once } from 'node:events'
import { ConnectionsInTransit } from './connections-in-transit.js'
import type { FromWorker, StartFailure, ToWorker } from './worker-messages.js'

/** How a worker has ended. */
export interface Ending {
  /** 0 where it ended as it was told to. */
  exitCode: number | null
  signal: string | null
  /** What it said was in the way of its start. */
  failure?: StartFailure
}

/** How long a worker may leave pings without an answer before it counts as one that hangs. */
const UNANSWERED_PINGS = 6

/** Milliseconds for what a worker said before its end to be read. */
const LAST_WORDS_MS = 1000

/** A worker as its primary sees it: one process, from its start to its end. */
export class WorkerProcess {
  /** Resolves when it is gone, and all that it said is here. */
  readonly ended: Promise<Ending>
  isReady = false
  isListening = false
  isGone = false
  readonly startedAt = performance.now()
  #unanswered = 0
  #failure?: StartFailure
  readonly #worker: Worker

  /** @param hear what it says, but what this class understands itself */
  constructor (worker: Worker, hear: (message: FromWorker) => void) {
    this.#worker = worker
    const inTransit = new ConnectionsInTransit(worker.process)
    worker.on('message', (message: FromWorker) => {
      if (message.kind === 'pong') this.#unanswered = 0
      else if (message.kind === 'failed') this.#failure = { text: message.text, exitCode: message.exitCode }
      else hear(message)
    })
    this.ended = endOf(worker)
      .then(ending => {
        this.isGone = true
        this.isListening = false
        inTransit.close()
        return { ...ending, failure: this.#failure }
      })
  }

  get pid (): number | undefined {
    return this.#worker.process.pid
  }

  /** To one that has just ended it goes nowhere. */
  tell (message: ToWorker): void {
    if (this.#worker.isConnected()) this.#worker.send(message, () => {})
  }

  /** Asks for a sign of life. False: it has not answered the last ones, and will hardly do so again. */
  ping (): boolean {
    if (this.#unanswered >= UNANSWERED_PINGS) return false
    this.#unanswered++
    this.tell({ kind: 'ping' })
    return true
  }

  kill (): void {
    this.#worker.process.kill('SIGKILL')
  }
}

async function endOf (worker: Worker): Promise<Ending> {
  const ending = await new Promise<Ending>(resolve => {
    worker.once('exit', (exitCode, signal) => resolve({ exitCode, signal }))
    // Of one that could not even be started there is no exit; all other errors are of what is sent to one that ends.
    worker.on('error', error => {
      if (worker.process.pid === undefined) resolve({ exitCode: null, signal: error.message })
    })
  })
  // Node.js does not always tell the end of the channel: not where a connection was on its way to the worker.
  if (worker.isConnected()) await once(worker, 'disconnect', { signal: AbortSignal.timeout(LAST_WORDS_MS) }).catch(() => {})
  return ending
}

/** In a few words, for the log. */
export function howItEnded ({ exitCode, signal }: Ending): string {
  return signal ?? `exit code ${exitCode}`
}
